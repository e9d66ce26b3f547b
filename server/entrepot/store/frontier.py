"""The running hash of a growing file's start."""

from __future__ import annotations

import os
from collections.abc import Sequence

from entrepot.errors import Corrupt
from entrepot.oci.digest import Digest, Hasher

PIECE_BYTES = 1 << 20


class Frontier:
    """Hashes a file from its first byte up to `at`, and can go back.

    One thread at a time moves it; `at` may be read by any thread.
    """

    def __init__(self, digest: Digest, descriptor: int) -> None:
        self._digest = digest
        self._descriptor = descriptor
        self._hasher = digest.hasher()
        self.at = 0

    @property
    def proved(self) -> bool:
        """Whether the bytes up to `at` are what the digest names."""
        return self._hasher.hexdigest() == self._digest.hex

    def hasher(self) -> Hasher:
        """Return a hash of what is before `at`, which goes on for itself."""
        return self._hasher.copy()

    def absorb(self, buffers: Sequence[memoryview]) -> None:
        """Take in the bytes that come next in the file, from memory."""
        for buffer in buffers:
            self._hasher.update(buffer)
            self.at += len(buffer)

    def read_back(self, stop: int) -> None:
        """Take in the next bytes from the file, up to `stop`; Corrupt when it ends before."""
        buffer = bytearray(min(PIECE_BYTES, max(0, stop - self.at)))
        while self.at < stop:
            wanted = memoryview(buffer)[: stop - self.at]
            length = os.preadv(self._descriptor, [wanted], self.at)
            if length == 0:
                raise Corrupt(f"{self._digest}: the partial file ends at {self.at}, not {stop}")
            self.absorb([wanted[:length]])

    def rewind(self, to: int) -> None:
        """Be at `to` again, by reading everything before it; nothing to do when not past it."""
        if to < self.at:
            self._hasher = self._digest.hasher()
            self.at = 0
            self.read_back(to)
