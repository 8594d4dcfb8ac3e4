"""Ray Tune on trials that sleep for a second: tune.py TRIALS CPUS; a line of JSON with its seconds."""

import json
import os
import sys
import tempfile
import time

import ray
from ray import tune


def sleep(config):
    with open(config["starts"], "a") as file:
        file.write("%f\n" % time.time())
    time.sleep(1)
    tune.report({"loss": config["x"]})


def main(trials, cpus):
    began = time.time()
    ray.init(address=os.environ["RAY_ADDRESS"], log_to_driver=False)
    with tempfile.TemporaryDirectory() as folder:
        starts = os.path.join(folder, "starts")
        tuner = tune.Tuner(
            tune.with_resources(sleep, {"cpu": 1}),
            param_space={"x": tune.uniform(0, 1), "starts": starts},
            tune_config=tune.TuneConfig(num_samples=trials, max_concurrent_trials=cpus, reuse_actors=True),
            run_config=tune.RunConfig(storage_path=folder, verbose=0),
        )
        results = tuner.fit()
        ended = time.time()
        with open(starts) as file:
            began_at = sorted(float(line) for line in file)
    assert len(results) == trials and results.num_errors == 0
    first = began_at[0]
    print(json.dumps({"startSeconds": first - began, "seconds": ended - first, "starts": began_at}))


main(*map(int, sys.argv[1:]))
