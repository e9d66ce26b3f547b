"""Waking many who wait, but not for every piece of news: each time all of them are woken."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

_TELL_BYTES = 2 * 1024 * 1024
_TELL_AFTER_S = 0.025


@dataclass(slots=True)
class Telling:
    """Lives on the loop."""

    _told_bytes: int = 0
    _soon: asyncio.TimerHandle | None = None
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    async def heard(self) -> None:
        """Return at the next news."""
        await self._news.wait()

    def now(self) -> None:
        """Wake everybody."""
        if self._soon is not None:
            self._soon.cancel()
            self._soon = None
        news, self._news = self._news, asyncio.Event()
        news.set()

    def grown(self, there: int) -> None:
        """Tell that `there` bytes are there: at once if they are the first or many, else soon."""
        if there - self._told_bytes >= _TELL_BYTES or not self._told_bytes:
            self._told_bytes = there
            self.now()
        elif self._soon is None:
            self._soon = asyncio.get_running_loop().call_later(_TELL_AFTER_S, self.now)
