"""Opening files in the cache without being led astray: no link is followed, no pipe waited for."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import structlog

from entrepot.store.layout import PRIVATE_DIRECTORY_MODE

log = structlog.get_logger(__name__)

_SAFELY = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""O_NONBLOCK does nothing to a regular file; a named pipe would keep us waiting for a writer."""
# What open(2) says of a link, a socket, a device without a driver.
_ODD = frozenset({errno.ELOOP, errno.ENXIO, errno.EMLINK})


def open_regular(path: Path, *, buffering: int = 0) -> BinaryIO | None:
    """Open a regular file for reading; None, and a line in the log, if it is something odd.

    FileNotFoundError when there is nothing of that name.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | _SAFELY)
    except OSError as error:
        if error.errno not in _ODD:
            raise
        _warn(path)
        return None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        _warn(path)
        return None
    return os.fdopen(descriptor, "rb", buffering=buffering)


def regular_status(path: Path) -> os.stat_result | None:
    """Look at a regular file; None when there is none, or something odd instead."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return None
    if stat.S_ISREG(status.st_mode):
        return status
    _warn(path)
    return None


def open_for_writing(path: Path) -> int:
    """Open our own private file, new or old, for reading and writing; the caller closes it.

    Something odd of that name is removed first. One that was read-only becomes writable again.
    """
    _make_room(path, stat.S_ISREG)
    flags = os.O_RDWR | os.O_CREAT | _SAFELY
    try:
        return os.open(path, flags, 0o600)
    except PermissionError:
        path.chmod(0o600)  # no link: it was looked at above, and the directory is ours
        return os.open(path, flags, 0o600)


def make_private_directory(path: Path) -> None:
    """Make a directory, or find one that is none but a directory; its parents as well."""
    if not path.parent.is_dir():
        make_private_directory(path.parent)
    _make_room(path, stat.S_ISDIR)
    path.mkdir(PRIVATE_DIRECTORY_MODE, exist_ok=True)


def _make_room(path: Path, fits: Callable[[int], bool]) -> None:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not fits(mode):
        _warn(path)
        if not stat.S_ISDIR(mode):
            path.unlink()


def _warn(path: Path) -> None:
    log.warning("cache.odd_file", path=str(path), told="not a regular file; not used")
