"""What arrived from a mirror in one go."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace


def _nothing() -> None:
    """Memory that nobody uses again needs no giving back."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes in the order they came; none at the end of a body.

    `done` is called, on any thread, by whoever needs the memory no more: it may then be written
    over. A piece that is dropped instead costs its body one of few buffers.
    """

    buffers: tuple[bytes | memoryview, ...] = ()
    done: Callable[[], None] = _nothing

    def __len__(self) -> int:
        """Count the bytes."""
        return sum(map(len, self.buffers))

    def first(self, limit: int) -> Piece:
        """Return the first `limit` bytes, without copying what is taken whole."""
        if len(self) <= limit:
            return self
        left, kept = limit, []
        for buffer in self.buffers:
            if left:
                kept.append(buffer[:left])
                left -= len(kept[-1])
        return replace(self, buffers=tuple(kept))

    def after(self, count: int) -> Piece:
        """Return what follows the first `count` bytes; `done` is called when nothing does."""
        left, kept = count, []
        for buffer in self.buffers:
            thrown = min(left, len(buffer))
            left -= thrown
            if thrown < len(buffer):
                kept.append(buffer[thrown:])
        if not kept:
            self.done()
        return replace(self, buffers=tuple(kept))
