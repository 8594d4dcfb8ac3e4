"""The trials of a pool: what was asked for, and what has come of it so far."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import tempfile
import time
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .crew import Slot


IN_MEMORY_BYTES = 2**20


class Events:
    """
    What happens to a trial, in order. It may print more than fits into memory: beyond a little it lies on the disk.

    Where that is full, `lost` says so, and is all that is left.
    """

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY_BYTES)
        self._ends = [0]
        self.lost: dict | None = None

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, number: int) -> dict:
        if self.lost is not None:
            return self.lost
        self._file.seek(self._ends[number])
        return json.loads(self._file.read(self._ends[number + 1] - self._ends[number]))

    def append(self, event: dict) -> None:
        data = json.dumps(event).encode()
        self._ends.append(self._ends[-1] + len(data))
        try:
            self._file.seek(self._ends[-2])
            self._file.write(data)
            self._file.flush()
        except OSError as error:
            with contextlib.suppress(OSError):
                self._file.close()  # makes room
            self.lost = {"event": "lost", "reason": f"its output did not fit on the disk of the pool's node: {error}"}


class Trial:
    """One trial, from its request on. What happens to it is kept, so that whoever asks again is told all of it."""

    def __init__(self, number: int, spec: str) -> None:
        self.number = number
        self.spec = spec
        self.asked = time.monotonic()
        self.events = Events()
        self.has_ended = False
        self.is_stopped = False
        self.slot: Slot | None = None
        self._changed = asyncio.Event()
        self.tell("queued")

    def tell(self, event: str, **details: object) -> None:
        """Adds an event. Nothing follows `ended` and `lost`."""
        if self.has_ended:
            return
        self.events.append({"event": event, **details})
        self.has_ended = event in ("ended", "lost") or self.events.lost is not None
        self._changed.set()
        self._changed = asyncio.Event()

    async def follow(self, since: int, beat_seconds: float) -> AsyncIterator[dict | None]:
        """All events from the given one on, as they come; None where none has come for a while."""
        while True:
            changed = self._changed
            while since < len(self.events):
                since += 1
                yield self.events[since - 1]
            if self.has_ended:
                return
            try:
                await asyncio.wait_for(changed.wait(), beat_seconds)
            except asyncio.TimeoutError:
                yield None

    def __lt__(self, other: Trial) -> bool:
        return self.number < other.number


class Trials:
    """All trials whose results the controller has not yet taken, by their keys."""

    def __init__(self) -> None:
        self._numbers = itertools.count()
        self._known: dict[str, Trial] = {}
        self._waiting: asyncio.PriorityQueue[Trial] = asyncio.PriorityQueue()

    def ask(self, key: str, spec: str) -> Trial:
        """The trial of this key: a new one, or the very one that was asked for before."""
        if key not in self._known:
            self._known[key] = Trial(next(self._numbers), spec)
            self.put_back(self._known[key])
        return self._known[key]

    async def next(self) -> Trial:
        """The trial that has waited longest."""
        while (trial := await self._waiting.get()).has_ended:
            pass
        return trial

    def put_back(self, trial: Trial) -> None:
        """Lets a trial wait, before all that were asked for after it."""
        self._waiting.put_nowait(trial)

    async def stop(self, key: str) -> None:
        """Ends a trial early: it tells its end like any other. One that still waits never starts."""
        trial = self._known.get(key)
        if trial is None or trial.has_ended or trial.is_stopped:
            return
        trial.is_stopped = True
        if trial.slot is None:
            trial.tell("ended")
        else:
            await trial.slot.stop(trial)

    async def stop_all(self) -> None:
        await asyncio.gather(*(self.stop(key) for key in self._known))

    def forget(self, key: str) -> None:
        """Lets go of a trial that has ended."""
        if key in self._known and self._known[key].has_ended:
            del self._known[key]

    def count(self) -> int:
        """How many trials wait or run."""
        return sum(not trial.has_ended for trial in self._known.values())
