"""A run of bytes in memory that can be sent from as from a file."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from typing import BinaryIO

from entrepot.errors import StoreError
from entrepot.oci.digest import Hasher

_MAX_BUFFERS = 512


class Segment:
    """Bytes of a blob from `start` on; they lie at the same offsets in the file.

    `stop` is where they end for readers; whoever writes raises it. `hasher` has taken in everything
    before `start`, None when nobody hashes. Memory is given back when this and every file opened
    from it is closed, so nobody ever reads bytes that have been replaced.
    """

    def __init__(self, start: int, hasher: Hasher | None) -> None:
        self.start = start
        self.stop = start
        self.hasher = hasher
        self._descriptor: int | None = None
        self._closed = False
        self._state = threading.Lock()

    def __repr__(self) -> str:
        return f"<Segment [{self.start}, {self.stop})>"

    def write(self, offset: int, buffers: Sequence[memoryview]) -> None:
        """Put bytes at `offset`; blocks, for a thread. OSError when there is no memory."""
        with self._state:
            if self._closed:
                raise StoreError("the memory was given back already")
            if self._descriptor is None:
                self._descriptor = os.memfd_create("entrepot-relay", os.MFD_CLOEXEC)
            left = [buffer for buffer in buffers if buffer]
            while left:
                taken = os.pwritev(self._descriptor, left[:_MAX_BUFFERS], offset)
                offset += taken
                left = _after(left, taken)

    def open(self) -> BinaryIO:
        """Open it for reading, with a position of its own; blocks, for a thread.

        The caller closes. StoreError when it is closed already.
        """
        with self._state:
            if self._closed or self._descriptor is None:
                raise StoreError("the memory was given back already")
            # A descriptor that is only duplicated would share its position with all others.
            return open(f"/proc/self/fd/{self._descriptor}", "rb", buffering=0)  # noqa: PTH123

    def close(self) -> None:
        """Give the memory back; safe to call twice, and quick."""
        with self._state:
            self._closed = True
            descriptor, self._descriptor = self._descriptor, None
            if descriptor is not None:
                os.close(descriptor)


def _after(buffers: Sequence[memoryview], count: int) -> list[memoryview]:
    """What follows the first `count` bytes."""
    left = []
    for buffer in buffers:
        if count < len(buffer):
            left.append(buffer[count:])
        count = max(0, count - len(buffer))
    return left
