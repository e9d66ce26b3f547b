"""Where requests come in while what answers them may be exchanged for something else."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class Use:
    """How many requests are being answered; `idle` returns when there is none."""

    def __init__(self) -> None:
        self._count = 0
        self._idle = asyncio.Event()
        self._idle.set()

    def __len__(self) -> int:
        return self._count

    def __enter__(self) -> None:
        self._count += 1
        self._idle.clear()

    def __exit__(self, *_: object) -> None:
        self._count -= 1
        if not self._count:
            self._idle.set()

    async def idle(self) -> None:
        """Return when nobody is being answered."""
        await self._idle.wait()


class Entrance:
    """The handler of one listener.

    A request is answered from beginning to end by what was led to when it came.
    """

    def __init__(self, handler: Handler, use: Use) -> None:
        self._handler = handler
        self._use = use

    def lead_to(self, handler: Handler, use: Use) -> None:
        """Give the next requests to `handler`, counted in `use`."""
        self._handler, self._use = handler, use

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        with self._use:
            return await self._handler(request)
