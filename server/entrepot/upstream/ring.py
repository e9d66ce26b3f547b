"""Memory that is filled at one end while it is emptied at the other, again and again."""

from __future__ import annotations

import mmap


class Ring:
    """Bookkeeping of `size` bytes for one filler and one taker, all on one thread.

    Parts are handed out in order and may come back in any. Offsets count from the first byte that
    ever came. Pages that nothing was put in are no memory: while everything taken has come back in
    time, it is the same few at the beginning that are used.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._memory = memoryview(mmap.mmap(-1, size))
        self._filled = self._taken = self._free_from = 0
        self._back: dict[int, int] = {}

    @property
    def free(self) -> int:
        """How many bytes could be put in."""
        return self._size - (self._filled - self._free_from)

    @property
    def waiting(self) -> int:
        """How many bytes were put in and not taken yet."""
        return self._filled - self._taken

    def room(self, limit: int) -> memoryview:
        """Tell where the next bytes go, `limit` at most; less at the end of the memory."""
        at = self._filled % self._size
        return self._memory[at : min(self._size, at + min(self.free, limit))]

    def fill(self, count: int) -> None:
        """Note that so many bytes of `room` were written."""
        self._filled += count

    def take(self, limit: int) -> tuple[int, memoryview]:
        """Take what comes next, `limit` at most; its offset is for `give_back`."""
        offset, at = self._taken, self._taken % self._size
        part = self._memory[at : min(self._size, at + min(self.waiting, limit))]
        self._taken += len(part)
        return offset, part

    def give_back(self, offset: int, count: int) -> None:
        """Note that `count` bytes taken at `offset` may be written over."""
        self._back[offset] = offset + count
        while (stop := self._back.pop(self._free_from, None)) is not None:
            self._free_from = stop
        if self._free_from == self._filled:
            self._filled = self._taken = self._free_from = 0

    def close(self) -> None:
        """Let go of the memory; parts that are out stay good. Nothing may be called any more."""
        self._memory = memoryview(b"")
