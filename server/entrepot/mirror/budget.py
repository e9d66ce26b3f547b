"""Memory that several may use, but not more than so much of it together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from entrepot.errors import StoreError


class Budget:
    """`total` bytes to share out; `left` is what nobody has now."""

    def __init__(self, total: int) -> None:
        self.left = self._total = total
        self._freed = asyncio.Event()

    def __repr__(self) -> str:
        return f"<Budget {self.left} of {self._total} bytes left>"

    @asynccontextmanager
    async def share(self, count: int, patience_s: float) -> AsyncIterator[None]:
        """Have `count` bytes for a while; StoreError when there are none for `patience_s`."""
        count = min(count, self._total)
        deadline = asyncio.get_running_loop().time() + patience_s
        while self.left < count:
            try:
                async with asyncio.timeout_at(deadline):
                    await self._freed.wait()
            except TimeoutError as error:
                raise StoreError(
                    f"all {self._total >> 20} MiB for what finds no room on the disk are in use"
                ) from error
        self.left -= count
        try:
            yield
        finally:
            self.left += count
            freed, self._freed = self._freed, asyncio.Event()
            freed.set()
