"""Putting a finished file where everybody can see it, so that a power cut cannot undo it."""

from __future__ import annotations

import os
from pathlib import Path

from entrepot.store.layout import BLOB_MODE, PUBLIC_DIRECTORY_MODE


def fsync_directory(path: Path) -> None:
    """Make the names in a directory durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_directories(path: Path) -> None:
    """Create `path` and its parents durably: each new name is fsynced in the directory above."""
    missing = [path, *path.parents]
    missing = missing[: next(i for i, each in enumerate(missing) if each.is_dir())]
    for directory in reversed(missing):
        directory.mkdir(PUBLIC_DIRECTORY_MODE, exist_ok=True)
        fsync_directory(directory.parent)


def write_durably(path: Path, data: bytes, mode: int) -> None:
    """Write a new file and fsync it; its name is not durable yet. FileExistsError if it exists."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb", buffering=0) as file:
        view = memoryview(data)
        while view:
            view = view[file.write(view) :]
        os.fchmod(descriptor, mode)
        os.fsync(descriptor)


def place(source: Path, target: Path) -> None:
    """Rename a file that is already fsynced to its final name; on return the name is durable."""
    make_directories(target.parent)
    source.rename(target)
    fsync_directory(target.parent)


def write_blob(temporary: Path, target: Path, data: bytes, mode: int = BLOB_MODE) -> None:
    """Write `data` at `temporary`, then place it; nothing is left behind when that fails."""
    try:
        write_durably(temporary, data, mode)
        place(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
