"""Answers questions about Ray's Python client: a line of JSON in, a line of JSON out."""

import json
import logging
import sys
import tempfile
import zipfile
from pathlib import Path


def matches(patterns, paths):
    from ray._private.runtime_env.packaging import _get_excludes

    try:
        excluded = _get_excludes(Path("/r"), patterns)
        return [excluded(Path("/r") / path) for path in paths]
    except Exception:
        return None  # patterns that Python cannot read


def pack(folder, excludes, gitignore, parent):
    from ray._private.runtime_env.packaging import create_package

    with tempfile.TemporaryDirectory() as scratch:
        target = Path(scratch) / "package.zip"
        create_package(folder, target, gitignore, parent, excludes)
        with zipfile.ZipFile(target) as archive:
            return sorted(archive.namelist())


def default_excludes():
    from ray._private.ray_constants import get_runtime_env_default_excludes

    return get_runtime_env_default_excludes()


def job(address, id):
    from ray.job_submission import JobSubmissionClient

    details = JobSubmissionClient(address).get_job_info(id)
    return json.loads(details.model_dump_json())


def submit(address, **submission):
    from ray.job_submission import JobSubmissionClient

    return JobSubmissionClient(address).submit_job(**submission)


def tail(address, id):
    import asyncio

    from ray.job_submission import JobSubmissionClient

    async def follow():
        return "".join([text async for text in JobSubmissionClient(address).tail_job_logs(id)])

    return asyncio.run(follow())


logging.disable(logging.INFO)
for line in sys.stdin:
    question, arguments = json.loads(line)
    print(json.dumps(globals()[question](**arguments)), flush=True)
