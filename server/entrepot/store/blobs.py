"""Blobs on the disk, by digest: whole ones to read, partial ones to fill."""

from __future__ import annotations

import functools
import os
import secrets
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Self
from uuid import UUID

from entrepot.errors import Corrupt, DigestInvalid, StoreError, StoreTooNew
from entrepot.oci.digest import Digest
from entrepot.oci.manifest import read_manifest
from entrepot.oci.mediatype import SCHEMA1_SIGNED
from entrepot.store.draft import Draft, remove_partial, survey
from entrepot.store.journal import this_boot
from entrepot.store.layout import PRIVATE_DIRECTORY_MODE, VERSION, Layout
from entrepot.store.lock import DirectoryLock
from entrepot.store.partial import Partial
from entrepot.store.placement import make_directories, place, write_blob, write_durably
from entrepot.store.removals import Removals
from entrepot.store.threads import DiskThreads

DURABLE_EVERY_BYTES = 64 << 20
READ_THREADS = 4
WRITE_THREADS = 8
DELETE_THREADS = 4


@dataclass(frozen=True, slots=True)
class OpenBlob:
    """A blob open for reading, unbuffered, from 0. Whoever got it closes it."""

    file: BinaryIO
    size: int

    def close(self) -> None:
        """Close the file: one system call that does not touch the disk."""
        self.file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass(frozen=True, slots=True)
class PartialInfo:
    """A download that nobody is working on. `written` is bytes, `mtime` seconds of the epoch."""

    digest: Digest
    written: int
    size: int | None
    mtime: float


class BlobStore:
    """The blobs below one cache directory, which no other process may use meanwhile.

    Work happens in two pools of threads of its own: one for reading whole blobs, so that a hit
    never waits behind an fsync, one for everything else. Any method may raise StoreError.
    """

    def __init__(
        self, root: Path, *, boot: UUID | None = None, durable_every: int = DURABLE_EVERY_BYTES
    ) -> None:
        """`boot` stands in for the kernel's boot id; `durable_every` is bytes between fsyncs."""
        self.layout = Layout(root)
        self._boot = boot
        self._durable_every = durable_every
        self._lock = DirectoryLock(self.layout.lock)
        self._reads = DiskThreads("entrepot-read", READ_THREADS)
        self._writes = DiskThreads("entrepot-write", WRITE_THREADS)
        self._partials: dict[Digest, Partial | None] = {}
        self.removals = Removals()
        self._closing = False

    async def open(self) -> None:
        """Make the directory ours: create it, lock it, check its version.

        StoreLocked or StoreTooNew, with words for the operator. Takes the same time for a full
        cache as for an empty one.
        """
        self._boot = await self._writes.run(self._open, undo=lambda _: self._lock.release())

    async def aclose(self) -> None:
        """Keep unfinished downloads, end the threads, unlock; safe to call twice."""
        self._closing = True
        try:
            for partial in list(self._partials.values()):
                if partial is not None:
                    await partial.aclose()
        finally:
            await self._reads.aclose()
            await self._writes.aclose()
            self._lock.release()

    async def get(self, digest: Digest) -> OpenBlob | None:
        """Open a whole blob, in one hop to a thread; None when it is not here."""
        path = self.layout.blob(digest)
        return await self._reads.run(lambda: _open_blob(path), undo=_close_blob)

    async def size(self, digest: Digest) -> int | None:
        """Tell a whole blob's length in bytes; None when it is not here."""
        path = self.layout.blob(digest)
        return await self._reads.run(lambda: _length(path))

    async def read(self, digest: Digest, limit: int) -> bytes | None:
        """Read and prove a small blob, such as a manifest; None when it is not here.

        Corrupt when the bytes are not what the digest names; StoreError past `limit` bytes.
        """
        path = self.layout.blob(digest)
        return await self._reads.run(lambda: _read_proved(digest, path, limit))

    async def put(self, digest: Digest, data: bytes) -> None:
        """Keep a small blob; on return it outlives a power cut. Corrupt when it is not `digest`.

        For a signed schema 1 manifest the digest is of the payload without signatures (F-3). Waits
        for the end of a removal of the same blob, as `begin` and `Partial.commit` do.
        """
        await self.removals.settled(digest)
        temporary = self.layout.temporary / f"{digest.hex[:16]}.{secrets.token_hex(8)}"
        path = self.layout.blob(digest)
        await self._writes.run(lambda: _put(digest, data, temporary, path))

    async def delete(self, digest: Digest) -> bool:
        """Remove a whole blob; whether it was there. Open readers keep it until they close."""
        return bool(await self.delete_all([digest]))

    async def delete_all(self, digests: Sequence[Digest]) -> int:
        """Remove whole blobs, in one hop to a thread; how many were there."""
        paths = [self.layout.blob(digest) for digest in digests]
        return await self._writes.run(lambda: _delete_all(paths))

    async def disk_space(self) -> tuple[int, int]:
        """Tell the bytes that may still be written to the file system, and its size."""
        return await self._writes.run(lambda: _disk_space(self.layout.root))

    async def begin(self, digest: Digest) -> Partial:
        """Go on with the download of `digest`, or start it; the caller ends it.

        StoreError while another download of it has not ended. Bytes found on the disk are
        hashed before this returns.
        """
        if digest in self._partials:
            raise StoreError(f"{digest} is being downloaded already")
        self._partials[digest] = None
        try:
            await self.removals.settled(digest)
            draft = await self._writes.run(lambda: self._draft(digest), undo=Draft.abandon)
            partial = Partial(
                draft,
                self._reads,
                self._writes,
                lambda: self._ended(digest, partial),
                lambda: self.removals.settled(digest),
            )
            self._partials[digest] = partial
            try:
                await partial.catch_up()
                self._check_open()
            except BaseException:
                draft.abandon()
                self._ended(digest, partial)
                raise
        finally:
            if self._partials.get(digest) is None:
                self._partials.pop(digest, None)
        return partial

    async def partials(self) -> list[PartialInfo]:
        """List the downloads that nobody is working on, oldest first."""
        return await self._writes.run(self._survey)

    async def drop_partials(self, older_than: float) -> list[PartialInfo]:
        """Remove downloads last written to before `older_than`, seconds of the epoch.

        Returns those removed; one that is being worked on is left alone.
        """
        old = [info for info in await self.partials() if info.mtime < older_than]
        return [info for info in old if await self.drop_partial(info.digest)]

    async def drop_partial(self, digest: Digest) -> bool:
        """Remove the download of `digest`; False when somebody is working on it."""
        if digest in self._partials:
            return False
        self._partials[digest] = None
        directory = self.layout.partial(digest)
        try:
            await self._writes.run(functools.partial(remove_partial, directory))
        finally:
            del self._partials[digest]
        return True

    def _open(self) -> UUID:
        layout = self.layout
        make_directories(layout.blobs)
        layout.partials.mkdir(PRIVATE_DIRECTORY_MODE, exist_ok=True)
        self._lock.acquire()
        try:
            shutil.rmtree(layout.temporary, ignore_errors=True)
            layout.temporary.mkdir(PRIVATE_DIRECTORY_MODE)
            _check_version(layout)
        except BaseException:
            self._lock.release()
            raise
        return self._boot or this_boot()

    def _draft(self, digest: Digest) -> Draft:
        assert self._boot is not None, "the store is not open"
        return Draft(digest, self.layout, self._boot, self._durable_every)

    def _check_open(self) -> None:
        if self._closing:
            raise StoreError("the store is closed")

    def _ended(self, digest: Digest, partial: Partial) -> None:
        if self._partials.get(digest) is partial:
            del self._partials[digest]

    def _survey(self) -> list[PartialInfo]:
        assert self._boot is not None, "the store is not open"
        found = []
        for directory in self.layout.partials.glob("*/*"):
            try:
                digest = Digest(directory.parent.name, directory.name)
            except DigestInvalid:
                continue
            if digest in self._partials:
                continue
            try:
                trusted, mtime = survey(directory, self._boot)
            except FileNotFoundError:
                continue  # one that was worked on a moment ago has just become a blob
            found.append(PartialInfo(digest, trusted.written.total, trusted.size, mtime))
        return sorted(found, key=lambda info: info.mtime)


def _check_version(layout: Layout) -> None:
    try:
        text = layout.version.read_text()
    except FileNotFoundError:
        fresh = layout.temporary / "VERSION"
        write_durably(fresh, f"{VERSION}\n".encode(), 0o644)
        place(fresh, layout.version)
        return
    if text.strip() != str(VERSION):
        raise StoreTooNew(
            f"{layout.version} says {text.strip()[:40]!r}, this program reads version {VERSION}"
        )


def _open_blob(path: Path) -> OpenBlob | None:
    try:
        file = path.open("rb", buffering=0)
    except FileNotFoundError:
        return None
    return OpenBlob(file, os.fstat(file.fileno()).st_size)


def _close_blob(blob: OpenBlob | None) -> None:
    if blob is not None:
        blob.close()


def _length(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None


def _read_proved(digest: Digest, path: Path, limit: int) -> bytes | None:
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except FileNotFoundError:
        return None
    if len(data) > limit:
        raise StoreError(f"{digest}: more than {limit} bytes")
    if not _is(digest, data):
        raise Corrupt(f"{digest}: the bytes on the disk are not that")
    return data


def _put(digest: Digest, data: bytes, temporary: Path, path: Path) -> None:
    if not _is(digest, data):
        raise Corrupt(f"{digest}: not what was to be kept under that name")
    if _length(path) != len(data):
        write_blob(temporary, path, data)


def _is(digest: Digest, data: bytes) -> bool:
    if digest.matches(data):
        return True
    try:
        read_manifest(data, SCHEMA1_SIGNED, expected=digest)
    except ValueError:
        return False
    return True


def _disk_space(path: Path) -> tuple[int, int]:
    found = os.statvfs(path)
    return found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize


def _delete_all(paths: Sequence[Path]) -> int:
    """Several at a time: one unlink after the other waits for the disk each time, ten times over.

    In threads of its own, so that writes find theirs free.
    """
    with ThreadPoolExecutor(min(DELETE_THREADS, max(1, len(paths)))) as threads:
        return sum(threads.map(_delete, paths))


def _delete(path: Path) -> bool:
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    return True
