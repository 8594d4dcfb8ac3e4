"""The HTTP side of a pool: trials are asked for, followed, stopped and forgotten by their keys."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Awaitable, Callable

from aiohttp import web

from .crew import Crew
from .trials import Trials

BEAT_SECONDS = 10
LARGEST_SPEC = 64 * 2**20

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Server:
    """Answers whoever has the token. `last_call`: when that was heard of last, by the monotonic clock."""

    def __init__(self, trials: Trials, crew: Crew, token_hash: str) -> None:
        self._trials = trials
        self._crew = crew
        self._token_hash = token_hash
        self._runner: web.AppRunner | None = None
        self.last_call = time.monotonic()

    async def start(self, addresses: list[str], port: int) -> int:
        """Listens on all addresses at one port, and returns it; with port 0 one that is free."""

        @web.middleware
        async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
            if not self.allows(request.headers.get("Authorization", "").removeprefix("Bearer ")):
                return web.Response(status=401, text="this pool has another token")
            self.last_call = time.monotonic()
            return await handler(request)

        app = web.Application(middlewares=[guard], client_max_size=LARGEST_SPEC)
        app.router.add_put("/trials/{key}", self._trial)
        app.router.add_post("/trials/{key}/stop", self._stop)
        app.router.add_delete("/trials/{key}", self._forget)
        app.router.add_get("/healthz", self._health)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        for address in addresses:
            await web.TCPSite(self._runner, address, port).start()
            port = self._runner.addresses[0][1]
        return port

    async def stop(self) -> None:
        await self._runner.cleanup()

    def allows(self, token: str) -> bool:
        return hmac.compare_digest(hashlib.sha256(token.encode()).hexdigest(), self._token_hash)

    async def _trial(self, request: web.Request) -> web.StreamResponse:
        """Starts a trial, or joins it where it was started before; streams its events from `since` on, one a line."""
        trial = self._trials.ask(request.match_info["key"], await request.text())
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        await response.prepare(request)
        async for event in trial.follow(int(request.query.get("since", 0)), BEAT_SECONDS):
            line = "" if event is None else json.dumps(event)  # an empty line says that the pool is there
            await response.write(line.encode() + b"\n")
        return response

    async def _stop(self, request: web.Request) -> web.Response:
        await self._trials.stop(request.match_info["key"])
        return web.Response(status=204)

    async def _forget(self, request: web.Request) -> web.Response:
        self._trials.forget(request.match_info["key"])
        return web.Response(status=204)

    async def _health(self, request: web.Request) -> web.Response:
        return web.json_response(self.health(int(request.query["slots"])))

    def health(self, slots: int) -> dict:
        """What the pool says of itself to a controller that wants so many workers."""
        self._crew.resize(slots)
        return {"workers": self._crew.count("free", "busy"), "trials": self._trials.count()}
