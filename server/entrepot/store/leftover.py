"""A download that nobody is working on: what it has, and taking it away."""

from __future__ import annotations

import contextlib
from pathlib import Path
from uuid import UUID

from entrepot.store.journal import Trusted, replay
from entrepot.store.nofollow import (
    open_regular,
    regular_status,
)


def remove_partial(directory: Path) -> None:
    """Remove the files of a download and its directory, as far as they exist."""
    if directory.is_symlink():  # what it leads to is not ours
        directory.unlink()
        return
    for name in ("map", "map.new", "data"):
        (directory / name).unlink(missing_ok=True)
    with contextlib.suppress(FileNotFoundError):
        directory.rmdir()


def remove_unless_useful(directory: Path) -> None:
    """Remove what could not begin, unless there are bytes to go on with; never raises OSError."""
    with contextlib.suppress(OSError):
        data = directory / "data"
        if not data.exists() or data.lstat().st_size == 0:
            remove_partial(directory)


def survey(directory: Path, boot: UUID) -> tuple[Trusted, float]:
    """Tell what a closed download has, and when it was last written to (seconds of the epoch)."""
    status = regular_status(directory / "data")
    if status is None:
        return Trusted(), directory.lstat().st_mtime
    return replay(read_map(directory / "map"), boot).within(status.st_size), status.st_mtime


def read_map(path: Path) -> bytes:
    """Read a map; nothing when there is none."""
    try:
        file = open_regular(path, buffering=-1)
    except FileNotFoundError:
        return b""
    if file is None:
        return b""
    with file:
        return file.read()
