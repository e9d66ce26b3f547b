"""A few buffers that are filled and emptied in turn."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

BUFFER_BYTES = 1 << 20
MOST_BUFFERS = 5


class Buffers:
    """Of one connection. Made when first needed: a slow one never has more than two or three.

    `freed` is called on the loop when a buffer came back. `close` lets go of them at once: those
    who still hold one keep only that.
    """

    def __init__(self, freed: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._freed = freed
        self._free: list[bytearray] = []
        self._made = 0
        self._closed = False

    @property
    def empty(self) -> bool:
        """Whether all of them are in use."""
        return not self._free and self._made >= MOST_BUFFERS

    def take(self) -> bytearray:
        """Hand one out, the one used last if there is a choice; IndexError when `empty`."""
        if not self._free and self._made < MOST_BUFFERS:
            self._made += 1
            return bytearray(BUFFER_BYTES)
        return self._free.pop()

    def give_back(self, buffer: bytearray) -> None:
        """Take one back, on any thread; when the loop is gone nobody wants it."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._take_back, buffer)

    def close(self) -> None:
        """Hand out nothing more; `empty` from now on."""
        self._closed = True
        self._made = MOST_BUFFERS
        self._free.clear()

    def _take_back(self, buffer: bytearray) -> None:
        if not self._closed:
            self._free.append(buffer)
            self._freed()
