"""`ray start --address=...` for a second node that listens on loopback alone, which Ray does only for a cluster of one."""

from ray._private import ray_constants, services
from ray.scripts.scripts import main

ray_constants.ENABLE_RAY_CLUSTER = True
services.get_node_ip_address = lambda *args, **options: "127.0.0.1"
main()
