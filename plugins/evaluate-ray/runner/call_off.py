"""Ends jobs that wait inside Ray, by their ids: python call_off.py ID...; their supervisors never start."""

import sys

import ray
from ray.dashboard.modules.job.common import JOB_ACTOR_NAME_TEMPLATE, SUPERVISOR_ACTOR_RAY_NAMESPACE

ray.init(namespace=SUPERVISOR_ACTOR_RAY_NAMESPACE, log_to_driver=False)
for job_id in sys.argv[1:]:
    try:
        ray.kill(ray.get_actor(JOB_ACTOR_NAME_TEMPLATE.format(job_id=job_id)))
    except ValueError:
        pass  # it has ended meanwhile
