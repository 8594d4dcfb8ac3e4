"""
A pool of workers on a Ray cluster: the driver of one long-lived job.

Serves trials over HTTP (server.py) and through the dashboard (mailbox.py), prints one line that says where, and ends
when it is told to (SIGTERM) or when its controller has not been heard of for a while. What it holds of the cluster goes
with it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import time

import ray

from .crew import Crew
from .mailbox import Mailbox
from .server import Server
from .trials import Trials

EXIT_SECONDS = 3


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="pool")
    parser.add_argument("--actor", type=json.loads, default={}, help="Ray's options for a worker, as JSON")
    parser.add_argument("--port", type=int, default=0, help="0: one that is free")
    parser.add_argument("--mailbox", required=True, help="how the names of packages begin that are messages")
    parser.add_argument("--idle-seconds", type=float, required=True, help="ends itself after so long without a call")
    parser.add_argument("--stop-seconds", type=float, required=True, help="what a trial has to end when it is told to")
    return parser.parse_args()


async def serve(arguments: argparse.Namespace) -> None:
    told = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, told.set)
    trials = Trials()
    crew = Crew(trials, arguments.actor, arguments.stop_seconds)
    server = Server(trials, crew, os.environ["BILEVEL_POOL_TOKEN_SHA256"])
    mailbox = Mailbox(arguments.mailbox, trials, server)
    await mailbox.open()
    reading = asyncio.create_task(mailbox.serve())
    host = ray.util.get_node_ip_address()
    # the loopback address is where forwarded ports arrive
    port = await server.start(sorted({host, "127.0.0.1"}), arguments.port)
    print("bilevel-pool ready", json.dumps({"host": host, "port": port}), flush=True)
    while not told.is_set() and time.monotonic() - server.last_call < arguments.idle_seconds:
        try:
            await asyncio.wait_for(told.wait(), 1)
        except asyncio.TimeoutError:
            pass
    print("bilevel-pool ends:", "it was told to" if told.is_set() else "its controller is gone", flush=True)
    try:
        await asyncio.wait_for(trials.stop_all(), EXIT_SECONDS)
    except asyncio.TimeoutError:
        pass
    reading.cancel()
    await asyncio.gather(server.stop(), mailbox.close())


def main() -> None:
    arguments = parse_arguments()
    ray.init(log_to_driver=False)
    asyncio.run(serve(arguments))


if __name__ == "__main__":
    main()
