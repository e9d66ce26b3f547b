"""Bytes in memory on their way to the disk."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

_MAX_BUFFERS = 512


@dataclass(frozen=True, slots=True)
class Chunk:
    """Bytes in memory and where they belong in the file."""

    start: int
    buffers: tuple[memoryview, ...]

    @property
    def stop(self) -> int:
        """One past the last offset."""
        return self.start + sum(map(len, self.buffers))

    def cut(self, start: int, stop: int) -> Chunk:
        """Return the part from offset `start` up to `stop`, without copying."""
        kept = []
        at = self.start
        for buffer in self.buffers:
            part = buffer[max(0, start - at) : max(0, stop - at)]
            at += len(buffer)
            if part:
                kept.append(part)
        return Chunk(start, tuple(kept))

    def write(self, descriptor: int) -> None:
        """Write it where it belongs; OSError, with some of it written perhaps."""
        chunk, stop = self, self.stop
        while chunk.start < stop:
            taken = os.pwritev(descriptor, chunk.buffers[:_MAX_BUFFERS], chunk.start)
            chunk = chunk.cut(chunk.start + taken, stop)


@dataclass(frozen=True, slots=True)
class Held:
    """What was written and waits in memory for its hash; `done` gives the memory back."""

    start: int
    stop: int
    parts: tuple[Chunk, ...]
    done: Callable[[], None]
