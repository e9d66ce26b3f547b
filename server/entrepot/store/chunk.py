"""Bytes in memory on their way to the disk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


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


@dataclass(frozen=True, slots=True)
class Held:
    """What was written and waits in memory for its hash; `done` gives the memory back."""

    start: int
    stop: int
    parts: tuple[Chunk, ...]
    done: Callable[[], None]
