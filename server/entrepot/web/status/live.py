"""What changes from second to second, sent to whoever watches (Server-Sent Events)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field

from aiohttp import web

from entrepot.mirror.documents import Document

EVERY_S = 1.0
MOST_WATCHERS = 64
_PATIENCE_S = 10.0
"""One that takes nothing for so long has gone."""


@dataclass(slots=True)
class Live:
    """Streams of events; `close` ends them all, for the server is stopping."""

    every_s: float = EVERY_S
    _closed: asyncio.Event = field(default_factory=asyncio.Event)
    _watchers: int = 0

    def __len__(self) -> int:
        return self._watchers

    def close(self) -> None:
        """End every stream now."""
        self._closed.set()

    async def stream(
        self, request: web.Request, events: Callable[[], Document]
    ) -> web.StreamResponse:
        """Send `events()`, names with their data, again and again; what is as before is left out.

        503 when too many watch already.
        """
        if self._watchers >= MOST_WATCHERS or self._closed.is_set():
            return web.Response(status=503, text="too many watch already\n")
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"}
        )
        self._watchers += 1
        try:
            await response.prepare(request)
            before: Document = {}
            while not self._closed.is_set():
                now = events()
                told = {name: data for name, data in now.items() if before.get(name) != data}
                async with asyncio.timeout(_PATIENCE_S):
                    # With nothing to tell, a comment: so that we hear of those who have gone.
                    await response.write(b"".join(map(_event, told.items())) or b":\n\n")
                before = now
                await self._pause()
        except TimeoutError:
            if request.transport is not None:
                request.transport.abort()
        finally:
            self._watchers -= 1
        return response

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(self.every_s):
                await self._closed.wait()
        except TimeoutError:
            return


def _event(told: tuple[str, object]) -> bytes:
    name, data = told
    text = data if isinstance(data, str) else json.dumps(data)
    lines = "".join(f"data: {line}\n" for line in text.splitlines())
    return f"event: {name}\n{lines}\n".encode()
