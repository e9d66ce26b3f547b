"""Makes the disk fail under running code: a file's descriptor becomes that of something else.

Writes to /dev/full say ENOSPC, writes to a descriptor for reading EBADF, and /dev/null cannot be
fsynced. Readers that open the file by its name meet the file itself.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path


def descriptors(path: Path) -> list[int]:
    """Those of this process that are open on `path`."""
    found = []
    for entry in Path("/proc/self/fd").iterdir():
        try:
            if entry.readlink() == path:
                found.append(int(entry.name))
        except FileNotFoundError:
            continue
    return found


def fill_the_disk(path: Path, own: int | None = None) -> None:
    """From now on writes to the open `path` find no space."""
    _replace(path, os.open("/dev/full", os.O_RDWR | os.O_CLOEXEC), own)


def fill_for_a_while(path: Path) -> Callable[[], None]:
    """As `fill_the_disk`, until what is returned is called; it must be."""
    [own] = [one for one in descriptors(path) if _writes(one)]
    kept = os.dup(own)
    fill_the_disk(path, own)

    def mend() -> None:
        os.dup2(kept, own, inheritable=False)
        os.close(kept)

    return mend


def break_writes(path: Path) -> None:
    """From now on writes to the open `path` fail; reads do not."""
    _replace(path, os.open(path, os.O_RDONLY | os.O_CLOEXEC))


def lose_writes(path: Path) -> None:
    """From now on writes to the open `path` go nowhere, which an fsync will tell."""
    _replace(path, os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC))


def _replace(path: Path, other: int, own: int | None = None) -> None:
    if own is None:
        [own] = [one for one in descriptors(path) if one != other and _writes(one)]
    os.dup2(other, own, inheritable=False)
    os.close(other)


def _writes(descriptor: int) -> bool:
    return fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDONLY
