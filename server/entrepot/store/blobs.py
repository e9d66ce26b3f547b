"""Blobs on the disk, by digest: whole ones to read, partial ones to fill."""

from __future__ import annotations

import functools
import os
import secrets
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from entrepot.errors import DigestInvalid, StoreError, StoreTooNew
from entrepot.oci.digest import ALGORITHMS, Digest
from entrepot.store.ballast import MOST_BYTES as MOST_BALLAST_BYTES
from entrepot.store.ballast import Ballast
from entrepot.store.blobfile import (
    OpenBlob,
    close_blob,
    delete_file,
    delete_files,
    disk_space,
    is_public_file,
    length,
    lengths,
    open_blob,
    publish,
    put_file,
    read_proved,
)
from entrepot.store.draft import Draft
from entrepot.store.durability import Durability
from entrepot.store.journal import this_boot
from entrepot.store.layout import (
    BLOB_MODE,
    PRIVATE_BLOB_MODE,
    PRIVATE_DIRECTORY_MODE,
    VERSION,
    Layout,
)
from entrepot.store.leftover import remove_partial, survey
from entrepot.store.lock import DirectoryLock
from entrepot.store.ownership import check_cache
from entrepot.store.partial import Partial
from entrepot.store.placement import (
    fsync_directory,
    make_directories,
    place,
    write_durably,
)
from entrepot.store.removals import Removals
from entrepot.store.threads import DiskThreads

DURABILITY = Durability()
READ_THREADS = 4
WRITE_THREADS = 8


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
        self, root: Path, *, boot: UUID | None = None, durability: Durability = DURABILITY
    ) -> None:
        """`boot` stands in for the kernel's boot id."""
        self.layout = Layout(root)
        self._boot = boot
        self._durability = durability
        self.ballast = Ballast(self.layout.ballast)
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
        return await self._reads.run(lambda: open_blob(path), undo=close_blob)

    async def size(self, digest: Digest) -> int | None:
        """Tell a whole blob's length in bytes; None when it is not here."""
        path = self.layout.blob(digest)
        return await self._reads.run(lambda: length(path))

    async def readable(self, digest: Digest) -> int | None:
        """Tell a whole blob's length in bytes; None when it is not here or cannot be opened."""
        try:
            blob = await self.get(digest)
        except StoreError:
            return None
        if blob is not None:
            blob.close()
        return blob.size if blob is not None else None

    async def sizes(self, digests: Iterable[Digest]) -> dict[Digest, int]:
        """Tell the lengths in bytes of those that are here, in one hop to a thread."""
        paths = {digest: self.layout.blob(digest) for digest in digests}
        return await self._reads.run(lambda: lengths(paths))

    async def read(self, digest: Digest, limit: int) -> bytes | None:
        """Read and prove a small blob, such as a manifest; None when it is not here.

        Corrupt when the bytes are not what the digest names; StoreError past `limit` bytes.
        """
        path = self.layout.blob(digest)
        return await self._reads.run(lambda: read_proved(digest, path, limit))

    async def is_public(self, digest: Digest) -> bool:
        """Whether a whole blob is here that somebody who may see public registries may see."""
        path = self.layout.blob(digest)
        return await self._reads.run(lambda: is_public_file(path))

    async def publish(self, digest: Digest) -> None:
        """A public registry has it as well: give it to everybody from now on, if it is here."""
        path = self.layout.blob(digest)
        await self._writes.run(lambda: publish(path))

    async def has_begun(self, digest: Digest) -> bool:
        """Whether there are bytes of a download of it; whose they are is not known."""
        path = self.layout.partial(digest)
        return await self._reads.run(lambda: os.path.lexists(path))

    async def put(self, digest: Digest, data: bytes, *, public: bool = True) -> None:
        """Keep a small blob; on return it outlives a power cut. Corrupt when it is not `digest`.

        For a signed schema 1 manifest the digest is of the payload without signatures (F-3). With
        `public` one that is here already becomes public; without, it stays what it is. Waits for
        the end of a removal of the same blob, as `begin` and `Partial.commit` do.
        """
        await self.removals.settled(digest)
        temporary = self.layout.temporary / f"{digest.hex[:16]}.{secrets.token_hex(8)}"
        path = self.layout.blob(digest)
        mode = BLOB_MODE if public else PRIVATE_BLOB_MODE
        await self._writes.run(lambda: put_file(digest, data, temporary, path, mode))

    async def delete(self, digest: Digest) -> bool:
        """Remove a whole blob; whether it was there. Open readers keep it until they close."""
        return bool(await self.delete_all([digest]))

    async def delete_all(self, digests: Sequence[Digest]) -> int:
        """Remove whole blobs, in one hop to a thread; how many were there."""
        paths = [self.layout.blob_text(digest) for digest in digests]
        return await self._writes.run(lambda: delete_files(paths))

    async def disk_space(self) -> tuple[int, int]:
        """Tell the bytes that may still be written to the file system, and its size."""
        return await self._writes.run(lambda: disk_space(self.layout.root))

    async def keep_reserve(self) -> None:
        """Have the ballast as large as it should be, as far as there is room for it."""
        await self._writes.run(self.ballast.take)

    async def begin(self, digest: Digest, *, public: bool = True) -> Partial:
        """Go on with the download of `digest`, or start it; the caller ends it.

        StoreError while another download of it has not ended. Bytes found on the disk are
        hashed before this returns. `public` is what it will be as a whole blob.
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
            partial.public = public
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
        return [
            info
            for info in await self.partials()
            if info.mtime < older_than and await self.drop_partial(info.digest)
        ]

    async def drop_partial(self, digest: Digest) -> bool:
        """Remove what there is of a download; False, and nothing done, if it is worked on."""
        if digest in self._partials:
            return False
        self._partials[digest] = None
        try:
            await self._writes.run(functools.partial(remove_partial, self.layout.partial(digest)))
        finally:
            del self._partials[digest]
        return True

    async def odd_partials(self) -> list[Path]:
        """List what lies among the downloads and is none."""
        return await self._writes.run(lambda: _odd_partials(self.layout))

    async def take_mark(self) -> bool:
        """Take away the mark of a good end, durably; whether it was there."""
        return await self._writes.run(lambda: _take_mark(self.layout))

    async def put_mark(self) -> None:
        """Leave the mark of a good end: nothing below `root` changes after this."""
        await self._writes.run(lambda: _put_mark(self.layout))

    def _open(self) -> UUID:
        layout = self.layout
        check_cache(layout)
        make_directories(layout.blobs)
        layout.partials.mkdir(PRIVATE_DIRECTORY_MODE, exist_ok=True)
        self._lock.acquire()
        try:
            if disk_space(layout.root)[0] < MOST_BALLAST_BYTES // 4:
                self.ballast.give_up()  # opening needs room; what is left of it is taken again
            shutil.rmtree(layout.temporary, ignore_errors=True)
            layout.temporary.mkdir(PRIVATE_DIRECTORY_MODE)
            _check_version(layout)
        except BaseException:
            self._lock.release()
            raise
        return self._boot or this_boot()

    def _draft(self, digest: Digest) -> Draft:
        assert self._boot is not None, "the store is not open"
        return Draft(digest, self.layout, self._boot, self._durability)

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
            if digest in self._partials or directory.is_symlink():
                continue
            try:
                trusted, mtime = survey(directory, self._boot)
            except FileNotFoundError:
                continue  # one that was worked on a moment ago has just become a blob
            found.append(PartialInfo(digest, trusted.written.total, trusted.size, mtime))
        return sorted(found, key=lambda info: info.mtime)


def _odd_partials(layout: Layout) -> list[Path]:
    found = []
    for path in layout.partials.glob("*"):
        if path == layout.temporary:
            continue
        if path.name not in ALGORITHMS or not path.is_dir():
            found.append(path)
            continue
        for directory in path.iterdir():
            try:
                Digest(path.name, directory.name)
            except DigestInvalid:
                found.append(directory)
    return found


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


def _take_mark(layout: Layout) -> bool:
    if not delete_file(layout.clean):
        return False
    fsync_directory(layout.root)
    return True


def _put_mark(layout: Layout) -> None:
    fresh = layout.temporary / "clean"
    fresh.unlink(missing_ok=True)
    write_durably(fresh, b"", 0o644)
    place(fresh, layout.clean)
