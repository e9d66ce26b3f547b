"""Whose the cache directory is: nobody but us may be able to put something in our way there."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import structlog

from entrepot.errors import StoreError
from entrepot.store.layout import Layout

log = structlog.get_logger(__name__)

_ROOT_UID = 0


@dataclass(frozen=True, slots=True)
class Process:
    """Who asks: the effective user, and the groups whose members are trusted like ourselves."""

    uid: int
    groups: frozenset[int]

    @classmethod
    def this(cls) -> Process:
        """Tell who this process is."""
        return cls(os.geteuid(), frozenset({os.getegid(), _ROOT_UID, *os.getgroups()}))


def check_cache(layout: Layout, process: Process | None = None) -> None:
    """StoreError, with what to do about it, unless everything that is there is safely ours.

    Refused are symbolic links, anything of another type than it should be, other owners than root
    and ourselves, and what everybody, or a group that we are not in, may write to. With the
    directories in order nobody else can bring anything into them afterwards, so this is done once.
    Looks at a number of names that does not grow with the cache.
    """
    who = process or Process.this()
    shared = [path for path, is_directory in _names(layout) if _check(path, is_directory, who)]
    if shared:
        log.warning("cache.group_writable", paths=len(shared), first=str(shared[0]))


def _names(layout: Layout) -> Iterator[tuple[Path, bool]]:
    """Yield what may be there, from the top down, and whether it is to be a directory."""
    yield layout.root, True
    for file in (layout.version, layout.lock):
        yield file, False
    for suffix in ("", "-wal", "-shm", "-journal"):
        yield layout.catalog.with_name(layout.catalog.name + suffix), False
    yield layout.partials, True
    yield layout.temporary, True
    for algorithm in _directories(layout.partials):
        yield algorithm, True
    yield layout.blobs, True
    for algorithm in _directories(layout.blobs):
        yield algorithm, True
        for spread in _directories(algorithm):
            yield spread, True


def _directories(path: Path) -> Iterator[Path]:
    """Yield what is in `path`, which has been checked itself; files are met with O_NOFOLLOW."""
    try:
        with os.scandir(path) as entries:
            names = [Path(one.path) for one in entries if not one.is_file(follow_symlinks=False)]
    except FileNotFoundError:
        return
    yield from sorted(names)


def _check(path: Path, is_directory: bool, who: Process) -> bool:  # noqa: FBT001 - a table's column
    """Whether a group of ours may write to it; StoreError when it must not be used."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return False
    wanted = stat.S_ISDIR if is_directory else stat.S_ISREG
    if not wanted(status.st_mode):
        raise StoreError(_wrong_type(path, status.st_mode, is_directory=is_directory))
    if status.st_uid not in {who.uid, _ROOT_UID}:
        raise StoreError(
            f"{path} belongs to user {status.st_uid}, and this is user {who.uid}: run as its owner,"
            f" or `chown -R {who.uid}` the cache directory"
        )
    if status.st_mode & stat.S_IWOTH:
        raise StoreError(
            f"{path} may be written to by everybody (mode {stat.S_IMODE(status.st_mode):04o}):"
            " `chmod o-w` it, or use a directory inside it as the cache"
        )
    shared = bool(status.st_mode & stat.S_IWGRP)
    if shared and status.st_gid not in who.groups:
        raise StoreError(
            f"{path} may be written to by group {status.st_gid}, which this process is not in:"
            " `chmod g-w` it"
        )
    return shared


def _wrong_type(path: Path, mode: int, *, is_directory: bool) -> str:
    wanted = "directory" if is_directory else "regular file"
    if stat.S_ISLNK(mode):
        return (
            f"{path} is a symbolic link to {path.readlink()}, not a {wanted} of our own:"
            " name the place it leads to in `cache.path`, or remove it"
        )
    kinds = {
        stat.S_IFREG: "a file",
        stat.S_IFDIR: "a directory",
        stat.S_IFIFO: "a named pipe",
        stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
    }
    return f"{path} is {kinds.get(stat.S_IFMT(mode), 'not that')}, not a {wanted}: move it away"
