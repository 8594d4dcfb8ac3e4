"""Python's client on jobs that do nothing: jobs.py ADDRESS COUNT; a line of JSON with the seconds of each."""

import json
import sys
import time

from ray.job_submission import JobSubmissionClient


def main(address, count):
    client = JobSubmissionClient(address)
    times = []
    for _ in range(int(count)):
        began = time.time()
        job = client.submit_job(entrypoint="exec true", entrypoint_num_cpus=1)
        started = None
        while not client.get_job_status(job).is_terminal():
            if started is None and client.get_job_status(job) != "PENDING":
                started = time.time()
            time.sleep(0.05)
        client.get_job_logs(job)
        ended = time.time()
        times.append({"start": (started or ended) - began, "harvest": ended - began})
    print(json.dumps(times))


main(*sys.argv[1:])
