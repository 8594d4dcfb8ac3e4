"""The workers of a pool: as many as are wanted and the cluster has room for; those that die are replaced."""

from __future__ import annotations

import asyncio
import contextlib
import time

import ray
from ray.exceptions import ActorUnavailableError, RayError

from .trials import Trial, Trials
from .worker import Worker

ANSWER_SECONDS = 5
LONGEST_PAUSE_SECONDS = 5


class Slot:
    """Room for one worker. Ray starts it as soon as a node has what it asks for, and again after its death."""

    def __init__(self, options: dict, stop_seconds: float) -> None:
        self._options = {**options, "max_restarts": -1, "max_task_retries": 0}
        self._stop_seconds = stop_seconds
        self._actor = None
        self.state = "absent"

    async def ready(self) -> dict:
        """Where the worker is, as soon as there is one."""
        pause = 0.2
        while True:
            try:
                if self._actor is None:
                    self._actor = ray.remote(Worker).options(**self._options).remote()
                where = await self._actor.prepare.remote()
                self.state = "free"
                return where
            except RayError as error:
                if not isinstance(error, ActorUnavailableError):
                    self._actor = None  # Ray has given it up
                self.state = "absent"
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    async def is_alive(self) -> bool:
        """Whether the worker answers, which one on a node that died does not."""
        try:
            await asyncio.wait_for(self._actor.where.remote(), ANSWER_SECONDS)
            return True
        except (RayError, asyncio.TimeoutError):
            self.state = "absent"
            return False

    async def run(self, trial: Trial, where: dict) -> None:
        """Runs a trial to its end, whichever that is."""
        self.state = "busy"
        trial.slot = self
        trial.tell("started", queuedSeconds=round(time.monotonic() - trial.asked, 3), **where)
        try:
            async for piece in self._actor.run.options(num_returns="streaming").remote(trial.spec):
                trial.tell("output", text=await piece)
            self.state = "free"
            trial.tell("ended")
        except RayError as error:
            self.state = "absent"
            trial.tell("lost", reason=f"its worker died: {type(error).__name__}")

    async def stop(self, trial: Trial) -> None:
        """Asks a trial to end; where that does not help in time, its worker goes with it."""
        actor = self._actor
        with contextlib.suppress(RayError, asyncio.TimeoutError):
            await asyncio.wait_for(actor.stop.remote(), ANSWER_SECONDS)

        def kill() -> None:
            if not trial.has_ended:
                ray.kill(actor, no_restart=False)

        asyncio.get_running_loop().call_later(self._stop_seconds, kill)


class Crew:
    """Gives waiting trials to the slots that have a worker."""

    def __init__(self, trials: Trials, count: int, options: dict, stop_seconds: float) -> None:
        self._trials = trials
        self._tasks: list[asyncio.Task] = []
        self.slots = [Slot(options, stop_seconds) for _ in range(count)]

    def start(self) -> None:
        self._tasks = [asyncio.create_task(self._attend(slot)) for slot in self.slots]

    async def _attend(self, slot: Slot) -> None:
        while True:
            where = await slot.ready()
            while slot.state == "free":
                trial = await self._trials.next()
                if await slot.is_alive():
                    await slot.run(trial, where)
                else:
                    self._trials.put_back(trial)  # another worker may be free

    def count(self, *states: str) -> int:
        """How many slots are `free`, `busy` or `absent`: without a worker."""
        return sum(slot.state in states for slot in self.slots)
