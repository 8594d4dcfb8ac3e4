"""Answers, line by line in JSON, for the competitors and for the tasks that live in Python."""

import json
import os
import sys
import time

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
sys.path.insert(0, os.path.dirname(__file__))

import objectives  # noqa: E402
from samplers import samplers  # noqa: E402

out = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # what libraries print is no answer
search = None


def answer(request):
    global search
    kind = request["do"]
    if kind == "begin":
        search = samplers[request["sampler"]](
            request["space"], request["baseline"], request["seed"], request["trials"], request["slots"]
        )
        return {}
    if kind == "ask":
        started = time.perf_counter()
        number, values = search.ask()
        return {"number": number, "values": values, "ms": 1000 * (time.perf_counter() - started)}
    if kind == "tell":
        started = time.perf_counter()
        search.tell(request["number"], request.get("loss"))
        return {"ms": 1000 * (time.perf_counter() - started)}
    if kind == "time":
        for one in request["history"]:
            search.know(one["values"], one["loss"])
        spent = []
        for one in range(request["asked"]):
            started = time.perf_counter()
            number, _ = search.ask()
            search.tell(number, request["history"][one]["loss"])
            spent.append(1000 * (time.perf_counter() - started))
        return {"ms": sorted(spent)[len(spent) // 2]}
    if kind == "bbob":
        return objectives.describe_bbob(*request["problem"])
    if kind == "measure-bbob":
        return {"loss": objectives.measure_bbob(*request["problem"], request["values"])}
    if kind == "learn":
        return {"loss": objectives.learners[request["learner"]](request["values"], request["seed"])}
    raise ValueError(kind)


for line in sys.stdin:
    try:
        told = answer(json.loads(line))
    except Exception as error:  # the caller decides: a crash of a task is a result
        told = {"error": f"{type(error).__name__}: {error}"}
    out.write(json.dumps(told) + "\n")
    out.flush()
