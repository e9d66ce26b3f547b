"""Hashing a blob on the disk again, a piece at a time, without washing out the page cache.

Everything here blocks and runs in threads.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

from entrepot.oci.digest import Digest

PIECE_BYTES = 1 << 20

# What the kernel says when the medium or the file system has lost the bytes.
_LOST = frozenset({errno.EIO, errno.EUCLEAN, errno.EBADMSG, errno.ENODATA})


def is_lost(error: OSError) -> bool:
    """Whether this is about bytes that cannot be read any more, and not about the way to them."""
    return error.errno in _LOST


class Rehash:
    """One file open for hashing, from its start; `close` is the caller's."""

    def __init__(self, digest: Digest, path: Path, *, keep_cached: bool) -> None:
        """Open the file. `keep_cached`: it is in use, so that its pages are worth their memory."""
        self.digest = digest
        self._path = path
        self._keep_cached = keep_cached
        self._file = path.open("rb", buffering=0)
        self._buffer = bytearray(PIECE_BYTES)
        try:
            self.rewind()
        except BaseException:
            self._file.close()
            raise

    def rewind(self) -> None:
        """Begin again, from the medium and not from what the kernel remembers of it."""
        self._hasher = self.digest.hasher()
        self.at = self._file.seek(0)
        if not self._keep_cached:
            self._drop()

    def read(self, count: int) -> bool:
        """Hash about `count` bytes more; whether there are more. OSError when they are lost."""
        stop = self.at + count
        while self.at < stop:
            length = self._file.readinto(self._buffer)
            if not length:
                return False
            self._hasher.update(memoryview(self._buffer)[:length])
            self.at += length
        return True

    @property
    def proved(self) -> bool:
        """Whether what has been read is what the digest names."""
        return self._hasher.hexdigest() == self.digest.hex

    @property
    def in_place(self) -> bool:
        """Whether the file of that name is still the one that is being read."""
        try:
            return os.path.samestat(self._path.lstat(), os.fstat(self._file.fileno()))
        except FileNotFoundError:
            return False

    def close(self) -> None:
        """Close the file, and give its pages back."""
        try:
            if not self._keep_cached:
                self._drop()
        finally:
            self._file.close()

    def _drop(self) -> None:
        os.posix_fadvise(self._file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
