"""Room kept in reserve: a file that is given up when the disk is full, so that we can make room.

A disk that others fill to its last block leaves SQLite no room to open its files, nor to write down
which images go. Without that nothing can go: the cache would be stuck where it could help itself.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path

from entrepot.store.nofollow import open_for_writing
from entrepot.store.placement import fsync_directory

MOST_BYTES = 4 << 20
LEAST_BYTES = 64 << 10
"""With less nothing can be begun."""
SHARE = 32
"""It takes no more than this fraction of a small disk."""


class Ballast:
    """The file at `path`; everything here blocks, runs in threads and never raises OSError."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._moving = threading.Lock()

    def give_up(self) -> bool:
        """Make its room free; whether there was any."""
        with self._moving:
            try:
                size = self._path.lstat().st_size
                self._path.unlink()
                # on ext4 the blocks are free only when the journal has been written
                fsync_directory(self._path.parent)
            except OSError:
                return False
            return size > 0

    def take(self) -> int:
        """Make it as large as it should be, or as there is room for; how many bytes it has."""
        with self._moving:
            try:
                space = os.statvfs(self._path.parent)
                wanted = min(MOST_BYTES, space.f_blocks * space.f_frsize // SHARE)
                descriptor = open_for_writing(self._path)
            except OSError:
                return 0
            try:
                held = os.fstat(descriptor).st_size
                while wanted >= max(LEAST_BYTES, held + 1):
                    if _reserved(descriptor, wanted, held):
                        return wanted
                    wanted //= 2
                return held
            finally:
                os.close(descriptor)


def _reserved(descriptor: int, size: int, otherwise: int) -> bool:
    """Whether the file has `size` bytes of disk now; `otherwise` is what it keeps if it has not."""
    try:
        os.posix_fallocate(descriptor, 0, size)
    except OSError:
        os.ftruncate(descriptor, otherwise)
        return False
    return True
