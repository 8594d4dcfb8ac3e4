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
                if trial.has_ended:  # nothing more of it can be kept
                    self.state = "absent"
                    return ray.kill(self._actor, no_restart=False)
            self.state = "free"
            trial.tell("ended")
        except RayError as error:
            self.state = "absent"
            trial.tell("lost", reason=f"its worker died: {type(error).__name__}")

    def end(self) -> None:
        """Gives the cluster back what the worker holds, or waits for."""
        if self._actor is not None:
            ray.kill(self._actor)

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

    def __init__(self, trials: Trials, options: dict, stop_seconds: float) -> None:
        self._trials = trials
        self._options = options
        self._stop_seconds = stop_seconds
        self._wanted = 0
        self.slots: dict[Slot, asyncio.Task] = {}

    def resize(self, count: int) -> None:
        """From now on so many slots are wanted. Of those that are too many, a busy one goes after its trial."""
        self._wanted = count
        while len(self.slots) < count:
            slot = Slot(self._options, self._stop_seconds)
            self.slots[slot] = asyncio.create_task(self._attend(slot))
        idle = sorted((slot for slot in self.slots if slot.state != "busy"), key=lambda slot: slot.state)
        for slot in idle[: len(self.slots) - count]:  # absent ones first
            self.slots.pop(slot).cancel()
            slot.end()

    async def _attend(self, slot: Slot) -> None:
        while len(self.slots) <= self._wanted:
            where = await slot.ready()
            while slot.state == "free" and len(self.slots) <= self._wanted:
                trial = await self._trials.next()
                slot.state = "busy"
                if not await slot.is_alive():
                    self._trials.put_back(trial)  # another worker may be free
                elif trial.has_ended:
                    slot.state = "free"  # it was stopped meanwhile
                else:
                    await slot.run(trial, where)
        del self.slots[slot]
        slot.end()

    def count(self, *states: str) -> int:
        """How many slots are `free`, `busy` or `absent`: without a worker."""
        return sum(slot.state in states for slot in self.slots)
