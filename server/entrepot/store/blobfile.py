"""One whole blob as a file: everything here blocks, and runs in threads."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Self

from entrepot.errors import Corrupt, StoreError
from entrepot.oci.digest import Digest
from entrepot.oci.manifest import read_manifest
from entrepot.oci.mediatype import SCHEMA1_SIGNED
from entrepot.store.layout import (
    BLOB_MODE,
    is_public,
)
from entrepot.store.nofollow import open_regular, regular_status
from entrepot.store.placement import (
    write_blob,
)

_DELETE_THREADS = 2


@dataclass(frozen=True, slots=True)
class OpenBlob:
    """A blob open for reading, unbuffered, from 0. Whoever got it closes it.

    `public` is false while it is known from private registries only.
    """

    file: BinaryIO
    size: int
    public: bool = True

    def close(self) -> None:
        """Close the file: one system call that does not touch the disk."""
        self.file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_blob(path: Path) -> OpenBlob | None:
    """Open a whole blob; None when it is not here, or no regular file."""
    try:
        file = open_regular(path)
    except FileNotFoundError:
        return None
    if file is None:
        return None
    status = os.fstat(file.fileno())
    return OpenBlob(file, status.st_size, is_public(status.st_mode))


def close_blob(blob: OpenBlob | None) -> None:
    """Close what `open_blob` gave."""
    if blob is not None:
        blob.close()


def length(path: Path) -> int | None:
    """Tell a file's length in bytes; None when it is not here."""
    status = regular_status(path)
    return None if status is None else status.st_size


def is_public_file(path: Path) -> bool:
    """Whether the blob is here for everybody."""
    status = regular_status(path)
    return status is not None and is_public(status.st_mode)


def publish(path: Path) -> None:
    """Make a blob that is here one for everybody, durably."""
    try:
        file = open_regular(path)
    except FileNotFoundError:
        return
    if file is not None:
        with file:
            os.fchmod(file.fileno(), BLOB_MODE)
            os.fsync(file.fileno())


def lengths(paths: Mapping[Digest, Path]) -> dict[Digest, int]:
    """Tell the lengths of those that are here."""
    lengths = ((digest, length(path)) for digest, path in paths.items())
    return {digest: length for digest, length in lengths if length is not None}


def read_proved(digest: Digest, path: Path, limit: int) -> bytes | None:
    """Read a small blob; Corrupt when the bytes are not it, StoreError past `limit`."""
    try:
        file = open_regular(path, buffering=-1)
    except FileNotFoundError:
        return None
    if file is None:
        return None
    with file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise StoreError(f"{digest}: more than {limit} bytes")
    if not _is(digest, data):
        raise Corrupt(f"{digest}: the bytes on the disk are not that")
    return data


def put_file(digest: Digest, data: bytes, temporary: Path, path: Path, mode: int) -> None:
    """Write a small blob unless it is here already; Corrupt when the bytes are not it."""
    if not _is(digest, data):
        raise Corrupt(f"{digest}: not what was to be kept under that name")
    if length(path) != len(data):
        write_blob(temporary, path, data, mode)
    elif mode == BLOB_MODE:
        publish(path)


def _is(digest: Digest, data: bytes) -> bool:
    if digest.matches(data):
        return True
    try:
        read_manifest(data, SCHEMA1_SIGNED, expected=digest)
    except ValueError:
        return False
    return True


def disk_space(path: Path) -> tuple[int, int]:
    """Tell the bytes that may still be written to the file system, and its size."""
    found = os.statvfs(path)
    return found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize


def delete_files(paths: Sequence[str]) -> int:
    """Remove files, several at a time; how many were there.

    One unlink after the other waits for the disk each time, ten times as long in all. The threads
    are its own, so that writes find theirs free.
    """
    count = min(_DELETE_THREADS, max(1, len(paths)))
    with ThreadPoolExecutor(count) as threads:
        return sum(threads.map(_delete_each, [paths[first::count] for first in range(count)]))


def _delete_each(paths: Sequence[str]) -> int:
    return sum(delete_file(path) for path in paths)


def delete_file(path: Path | str) -> bool:
    """Remove a file; whether it was there."""
    try:
        os.unlink(path)  # noqa: PTH108 - a Path for each of many costs more than the call
    except FileNotFoundError:
        return False
    return True
