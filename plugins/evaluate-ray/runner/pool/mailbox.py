"""Calls that come as packages through the dashboard, for a controller that reaches nothing else of the cluster."""

from __future__ import annotations

import asyncio
import json
import time

from ray.experimental.internal_kv import _internal_kv_del, _internal_kv_get, _internal_kv_list

from .server import BEAT_SECONDS, Server
from .trials import Trials

QUICK_SECONDS = 0.02
SLOW_SECONDS = 0.5
QUICK_FOR_SECONDS = 15  # a controller that comes this way says every few seconds that it is there


class Mailbox:
    """
    Reads messages, which the cluster keeps as packages, and removes them. Answers are lines of the job's log.

    A message's name is `prefix`, its sender, a dot, and its number, so that names sort as they were sent.
    """

    def __init__(self, prefix: str, trials: Trials, server: Server) -> None:
        self._prefix = prefix
        self._trials = trials
        self._server = server
        self._last: dict[bytes, bytes] = {}
        self._tasks: set[asyncio.Task] = set()
        self._following: dict[str, asyncio.Task] = {}

    async def open(self) -> None:
        """Removes what earlier pools of the run left unread: names begin with the run, a dot, and the pool."""
        run = self._prefix.partition(".")[0]
        await asyncio.to_thread(_internal_kv_del, f"{run}.", del_by_prefix=True)

    async def serve(self) -> None:
        quick_until = 0.0
        while True:
            try:
                for name in sorted(await asyncio.to_thread(_internal_kv_list, self._prefix)):
                    message = await asyncio.to_thread(_internal_kv_get, name)
                    await asyncio.to_thread(_internal_kv_del, name)
                    quick_until = time.monotonic() + QUICK_FOR_SECONDS
                    if message is not None and self._is_new(name):
                        self._take(json.loads(message))
            except Exception as error:  # the head's store was away, or the message is none of ours
                print("bilevel-pool mailbox:", repr(error), flush=True)
            await asyncio.sleep(QUICK_SECONDS if time.monotonic() < quick_until else SLOW_SECONDS)

    async def close(self) -> None:
        await asyncio.to_thread(_internal_kv_del, self._prefix, del_by_prefix=True)

    def _is_new(self, name: bytes) -> bool:
        """A message may be sent again after its answer was lost, or come after its sender has given it up."""
        sender = name.rpartition(b".")[0]
        is_new = name > self._last.get(sender, b"")
        self._last[sender] = max(name, self._last.get(sender, b""))
        return is_new

    def _take(self, message: dict) -> None:
        if not self._server.allows(message["token"]):
            return
        self._server.last_call = time.monotonic()
        for call in message["calls"]:
            task = asyncio.create_task(self._call(**call))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            if call["call"] == "trial":
                if (earlier := self._following.pop(call["key"], None)) is not None:
                    earlier.cancel()  # one who asks again no longer reads the earlier answer
                self._following[call["key"]] = task

    async def _call(self, id: str, call: str, key: str = "", spec: str = "", since: int = 0, slots: int = 0) -> None:
        def answer(number: int, value: object) -> None:
            print("bilevel-pool answer", id, number, json.dumps(value), flush=True)

        if call == "trial":
            number = 0
            async for event in self._trials.ask(key, spec).follow(since, BEAT_SECONDS):
                answer(number, event)
                number += 1
        elif call == "stop":
            await self._trials.stop(key)
            answer(0, {})
        elif call == "forget":
            self._trials.forget(key)
            self._following.pop(key, None)
            answer(0, {})
        elif call == "health":
            answer(0, self._server.health(slots))
