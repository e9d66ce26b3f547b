"""Where rotten blobs and things that do not belong go: out of the way, but not lost at once."""

from __future__ import annotations

import os
import shutil
import stat
import threading
from dataclasses import dataclass
from pathlib import Path

import structlog

from entrepot.store.layout import PRIVATE_DIRECTORY_MODE, Layout
from entrepot.store.placement import fsync_directory

log = structlog.get_logger(__name__)

MOST_FILES = 100
MOST_BYTES = 4 << 30
LONGEST_S = 30 * 86400.0
ODD = "odd"
"""Where things go that are no blobs."""


@dataclass(frozen=True, slots=True)
class Kept:
    """Something in quarantine; `since` is seconds of the epoch."""

    path: Path
    size: int
    since: float


class Quarantine:
    """At most so many files, bytes and seconds; the newest stays in any case, the oldest go first.

    Everything here blocks and runs in threads.
    """

    def __init__(
        self,
        layout: Layout,
        *,
        most_files: int = MOST_FILES,
        most_bytes: int = MOST_BYTES,
        longest_s: float = LONGEST_S,
    ) -> None:
        self._layout = layout
        self._most_files = most_files
        self._most_bytes = most_bytes
        self._longest_s = longest_s
        self._trimming = threading.Lock()

    def take(self, path: Path, now: float, kind: str = ODD) -> Path | None:
        """Move `path` here, durably; where it is now, None when it is gone. Readers keep it open.

        `kind` is the directory, a digest's algorithm or `ODD`. `now` is seconds of the epoch.
        """
        directory = self._layout.quarantine / kind
        directory.mkdir(PRIVATE_DIRECTORY_MODE, parents=True, exist_ok=True)
        stamp = int(now * 1000)
        while os.path.lexists(target := directory / f"{path.name}.{stamp}"):
            stamp += 1
        try:
            path.rename(target)
        except FileNotFoundError:
            return None
        # the new name first: a power cut in between leaves both, and that is found again
        fsync_directory(directory)
        fsync_directory(path.parent)
        self.trim(now)
        return target

    def kept(self) -> list[Kept]:
        """List what is here, oldest first."""
        found = []
        for path in self._layout.quarantine.glob("*/*"):
            _, _, since = path.name.rpartition(".")
            status = path.lstat()
            moved = int(since) / 1000 if since.isdecimal() else status.st_mtime
            found.append(Kept(path, status.st_size, moved))
        return sorted(found, key=lambda each: each.since)

    def trim(self, now: float) -> None:
        """Remove what is too old or too much."""
        with self._trimming:
            files, size = 0, 0
            for each in reversed(self.kept()):
                files, size = files + 1, size + each.size
                over = files > self._most_files or size > self._most_bytes
                if files > 1 and (over or each.since < now - self._longest_s):
                    _remove(each.path)
                    log.info("quarantine.removed", path=str(each.path), bytes=each.size)


def _remove(path: Path) -> None:
    if stat.S_ISDIR(os.lstat(path).st_mode):
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
