"""The actor that runs trials: one at a time, each in a process of its own."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator

import ray

LONGEST_PIECE = 2**16


class Worker:
    """Holds what one trial needs. It never uses a GPU itself, so that no trial can leave it unfit for the next."""

    def __init__(self) -> None:
        self._server: asyncio.subprocess.Process | None = None

    async def where(self) -> dict:
        """Its node's address, and the GPUs that its trials may use."""
        return {"host": ray.util.get_node_ip_address(), "gpus": [str(gpu) for gpu in ray.get_gpu_ids()]}

    async def prepare(self) -> dict:
        """Starts what trials are forked from, so that the first one need not wait for it; tells where it is."""
        await self._fork_server()
        return await self.where()

    async def run(self, spec: str) -> AsyncIterator[str]:
        """Runs one trial, and yields what its runner prints, in whole lines as they come."""
        server, rest = await self._fork_server(), b""
        server.stdin.write(spec.encode() + b"\n")
        await server.stdin.drain()
        while piece := await server.stdout.read(LONGEST_PIECE):
            *lines, rest = (rest + piece).split(b"\n")
            if text := b"".join(line + b"\n" for line in lines if line not in (b"", b"ended")):
                yield text.decode()
            if b"ended" in lines:
                return
        self._server = None  # it was killed, and the trial with it: without a last frame

    async def _fork_server(self) -> asyncio.subprocess.Process:
        if self._server is None or self._server.returncode is not None:
            self._server = await start_fork_server()
        return self._server

    async def stop(self) -> None:
        """Asks the trial to end; what it prints then still comes."""
        if self._server is not None and self._server.returncode is None:
            self._server.stdin.write(b"stop\n")


async def start_fork_server() -> asyncio.subprocess.Process:
    visible = ",".join(str(gpu) for gpu in ray.get_gpu_ids())
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        f"{__package__}.fork_server",
        cwd="/",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": visible},  # none where none was asked for
    )
