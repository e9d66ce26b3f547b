"""Blobs: from the cache, from a fill in progress, or from a fill started for the asker."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Protocol

import structlog

from entrepot.errors import (
    AllFailed,
    Attempt,
    BlobUnknown,
    Exhausted,
    MirrorSilent,
    Offline,
    StoreError,
)
from entrepot.metrics import Metrics
from entrepot.mirror.fill import Fill
from entrepot.mirror.fillreader import FillReader
from entrepot.mirror.fills import Fills
from entrepot.mirror.flights import Flights
from entrepot.mirror.leases import Lease
from entrepot.mirror.manifests import MANIFEST_LIMIT_BYTES, Manifests, title
from entrepot.mirror.names import ImageName
from entrepot.mirror.race import Race, exhausted
from entrepot.mirror.registry import Registry, asking_order
from entrepot.mirror.wanted import Wanted
from entrepot.oci.digest import Digest
from entrepot.store.blobfile import OpenBlob
from entrepot.store.blobs import BlobStore
from entrepot.upstream.mirror import MirrorClient

log = structlog.get_logger(__name__)


class BlobReader(Protocol):
    """Something to send from: wait for bytes at an offset, then read them from `file`."""

    @property
    def file(self) -> BinaryIO:
        """Open for reading from where `wait` was asked; another after each `wait`, perhaps."""

    @property
    def size(self) -> int | None:
        """The whole blob's bytes; None when nobody said (Q-1)."""

    @property
    def source(self) -> str:
        """Return hit, fill or join."""

    @property
    def mirror(self) -> str:
        """Whose bytes they are, as far as is known now."""

    @property
    def whole(self) -> bool:
        """Whether the reader goes on to the end; set before the first `wait`."""

    @whole.setter
    def whole(self, whole: bool) -> None: ...

    async def wait(self, offset: int) -> int:
        """Return a stop > `offset` up to which `file` may be read, `size` at the end.

        Raises TransferBroken when those bytes will not come.
        """

    def failed(self) -> None:
        """Hear that `file` did not give what it should."""

    def close(self) -> None:
        """Let go of the file."""


@dataclass(slots=True)
class CachedReader:
    """A blob that is whole and durable."""

    blob: OpenBlob
    lease: Lease
    source: str = "hit"
    mirror: str = ""
    whole: bool = True
    suspect: Callable[[], None] = lambda: None

    @property
    def file(self) -> BinaryIO:
        """Opened for reading; closed by `close`."""
        return self.blob.file

    @property
    def size(self) -> int | None:
        """Bytes."""
        return self.blob.size

    async def wait(self, offset: int) -> int:  # noqa: ARG002 - everything is there
        """All of it, at once."""
        return self.blob.size

    def failed(self) -> None:
        """It is looked at, and fetched again by the next who asks if it is rotten."""
        self.suspect()

    def close(self) -> None:
        """Let go of the file."""
        self.blob.close()
        self.lease.release()


@dataclass(slots=True)
class Blobs:
    """What may be asked about blobs. Deadlines are loop time, sizes bytes.

    `suspect` is told of a blob on the disk that could not be read.
    """

    registries: dict[str, Registry]
    store: BlobStore
    manifests: Manifests
    fills: Fills
    flights: Flights[tuple[str, str, Digest], int]
    metrics: Metrics
    overtake_s: float
    suspect: Callable[[Digest], None] = lambda _: None

    async def open(self, image: ImageName, digest: Digest, deadline: float) -> BlobReader:
        """A reader for `digest`; the caller closes it.

        Raises BlobUnknown, AllFailed or AllThrottled when nobody has answered by `deadline`.
        """
        lease = self.fills.room.leases.take(digest)
        try:
            return await self._open(image, digest, deadline, lease)
        except BaseException:
            lease.release()
            raise

    async def _open(
        self, image: ImageName, digest: Digest, deadline: float, lease: Lease
    ) -> BlobReader:
        fill = await self._in_progress(digest, deadline)
        source = "join"
        if fill is None:
            stored = await self._stored(digest)
            if stored is not None:
                self.manifests.catalog.use_blob(digest, self.manifests.clock())
                return await self._cached(image, stored, lease, deadline)
            if await self._is_manifest(digest, 0):
                raise _is_a_manifest(digest)
            fill, started = await self._begin(image, digest, deadline)
            source = "fill" if started else "join"
        reader = FillReader(fill, source, lease)
        try:
            if not fill.public and not self.manifests.privacy.covers(image.registry):
                await self._confirm(image, digest, deadline)
                fill.publish()
            with self.metrics.fill.wait_seconds.labels(source).time():
                await _opened(fill, deadline)
            await reader.open()
            await _opened(fill, deadline)  # again: what it had may be wrong and gone by now
        except Exhausted as error:
            reader.close()
            if fill.wanted.is_of(image.registry, image.repository):
                self.manifests.remember_absence(image, _path(digest), error)
            elif fill.failed and asyncio.get_running_loop().time() < deadline:
                return await self.open(image, digest, deadline)  # it asked in another's name
            raise
        except BaseException:
            reader.close()
            raise
        reader.size = fill.size
        return reader

    async def fetch(self, image: ImageName, digest: Digest, deadline: float) -> Fill | None:
        """Have `digest` fetched, without reading it; None when it is here for `image`.

        Raises as `open` does, but for what the fill will come to.
        """
        fill = await self._in_progress(digest, deadline)
        if fill is not None:
            return fill
        if await self._stored_size(digest) is not None:
            await self._confirm(image, digest, deadline)
            return None
        return (await self._begin(image, digest, deadline))[0]

    async def _begin(self, image: ImageName, digest: Digest, deadline: float) -> tuple[Fill, bool]:
        self._raise_if_offline(image, digest)
        self._raise_if_absent(image, digest)
        wanted = await self._wanted(image, digest)
        await self._check_begun(image, digest, deadline)
        return self.fills.join(wanted)

    async def stat(self, image: ImageName, digest: Digest, deadline: float) -> tuple[int, str]:
        """The size of `digest` and where that is known from; starts no download.

        Raises as `open` does.
        """
        privacy = self.manifests.privacy
        stored = await self._stored_size(digest)
        if stored is not None and await privacy.may_give(image.registry, digest):
            if await self._is_manifest(digest, stored):
                raise _is_a_manifest(digest)
            return stored, "hit"
        fill = self.fills.get(digest)
        may_join = fill is not None and (fill.public or privacy.covers(image.registry))
        if fill is not None and may_join and fill.opened and fill.size is not None:
            return fill.size, "join"
        if await self._is_manifest(digest, 0):
            raise _is_a_manifest(digest)
        return await self._size(image, digest, deadline), "miss"

    async def _size(self, image: ImageName, digest: Digest, deadline: float) -> int:
        if not self.registries[image.registry].offline:
            self._raise_if_absent(image, digest)
        key = (image.registry, str(image.repository), digest)
        size = await self.flights.join(key, lambda: self._ask_size(image, digest, deadline))
        await self.manifests.privacy.publish(image.registry, digest)
        return size

    async def _confirm(self, image: ImageName, digest: Digest, deadline: float) -> None:
        """Have a mirror of this registry say that it has `digest`, unless that is known (P27)."""
        if not await self.manifests.privacy.may_give(image.registry, digest):
            await self._size(image, digest, deadline)

    async def _check_begun(self, image: ImageName, digest: Digest, deadline: float) -> None:
        """What is there of a broken-off download may have come from a private registry."""
        known = self.manifests.privacy.is_known_public(image.registry, digest)
        if not known and await self.store.has_begun(digest):
            await self._confirm(image, digest, deadline)

    def _raise_if_offline(self, image: ImageName, digest: Digest) -> None:
        """No fill is begun that could only fail, and leave an empty file."""
        if self.registries[image.registry].offline:
            raise Offline(f"{title(image, str(digest))}: not here, and Entrepot is offline")

    def _raise_if_absent(self, image: ImageName, digest: Digest) -> None:
        """Nodes ask again and again, and mirrors ban for too many 404s (F-9)."""
        self.manifests.raise_if_absent((image.registry, str(image.repository), _path(digest)))

    async def _stored(self, digest: Digest) -> OpenBlob | None:
        """From the disk; what that does not give, mirrors may (P30)."""
        try:
            return await self.store.get(digest)
        except StoreError as error:
            log.warning("blob.unreadable", digest=str(digest), reason=str(error))
            self.suspect(digest)
            return None

    async def _stored_size(self, digest: Digest) -> int | None:
        try:
            return await self.store.size(digest)
        except StoreError as error:
            log.warning("blob.unreadable", digest=str(digest), reason=str(error))
            return None

    async def _in_progress(self, digest: Digest, deadline: float) -> Fill | None:
        """The fill for `digest`, but none that has failed.

        Clients that it cut off are back at once; they would get another head, be cut again, and
        give up after the third time (T-4).
        """
        fill = self.fills.get(digest)
        if fill is not None and fill.failed:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(deadline):
                    await fill.wait_ended()
            return self.fills.get(digest)
        return fill

    async def _cached(
        self, image: ImageName, stored: OpenBlob, lease: Lease, deadline: float
    ) -> CachedReader:
        digest = lease.digest
        try:
            if not stored.public:
                await self._confirm(image, digest, deadline)
            is_manifest = await self._is_manifest(digest, stored.size)
        except BaseException:
            stored.close()
            raise
        if is_manifest:
            stored.close()
            raise _is_a_manifest(digest)
        return CachedReader(stored, lease, suspect=lambda: self.suspect(digest))

    async def _ask_size(self, image: ImageName, digest: Digest, deadline: float) -> int:
        wanted = await self._wanted(image, digest)
        now = asyncio.get_running_loop().time()
        names = tuple(mirror.name for mirror in wanted.registry.mirrors)

        async def ask(mirror: MirrorClient) -> int:
            size = await mirror.head_blob(wanted.repository, digest)
            return size if size is not None else -1

        race: Race[int] = Race(
            order=asking_order(
                wanted.registry.mirrors,
                wanted.repository,
                now,
                prefer=wanted.prefer,
                later=[one.name for one in wanted.registry.mirrors if not one.gives_blobs],
                doubted=self.fills.set_aside.mirrors(digest, names, now),
            ),
            repository=wanted.repository,
            ask=ask,
            overtake_s=self.overtake_s,
            deadline=deadline,
            metrics=self.metrics,
        )
        won = await race.run()
        if won is None:
            error = exhausted(wanted.title, tuple(race.attempts), BlobUnknown)
            self.manifests.remember_absence(image, _path(digest), error)
            raise error
        if wanted.expected_size is not None:
            return wanted.expected_size
        if won.answer < 0:
            raise AllFailed(f"{digest}: {won.mirror.name} has it but does not say how long it is")
        return won.answer

    async def _wanted(self, image: ImageName, digest: Digest) -> Wanted:
        hint = self.manifests.hints.get(digest)
        size = hint.size if hint is not None else await self._told_size(digest)
        if size == 0 and not digest.matches(b""):
            size = None  # whoever wrote that manifest did not know
        return Wanted(
            digest=digest,
            registry=self.registries[image.registry],
            repository=image.repository,
            prefer=hint.mirror if hint is not None else None,
            expected_size=size,
            private=self.manifests.privacy.covers(image.registry),
        )

    async def _told_size(self, digest: Digest) -> int | None:
        try:
            return await self.manifests.catalog.child_size(digest)
        except StoreError as error:  # mirrors tell it as well
            log.warning("blob.size_unknown", digest=str(digest), reason=str(error))
            return None

    async def _is_manifest(self, digest: Digest, size: int) -> bool:
        """C-16: what is known to be a manifest is no blob, else 1.x clients make an image of it."""
        if size > MANIFEST_LIMIT_BYTES:
            return False
        if self.manifests.holds(digest):
            return True
        hint = self.manifests.hints.get(digest)
        if hint is not None and hint.is_manifest is not None:
            return hint.is_manifest
        try:
            known = await self.manifests.catalog.is_manifest(digest)
            return known or await self.manifests.is_unlisted(digest)
        except StoreError as error:  # a blob that is here is served without the catalog
            log.warning("blob.kind_unknown", digest=str(digest), reason=str(error))
            return False


def _path(digest: Digest) -> str:
    return f"blobs/{digest}"


def _is_a_manifest(digest: Digest) -> BlobUnknown:
    return BlobUnknown(f"{digest} is a manifest, not a blob: ask for it under manifests/")


async def _opened(fill: Fill, deadline: float) -> None:
    try:
        async with asyncio.timeout_at(deadline):
            await fill.wait_opened()
    except TimeoutError as error:
        told = (*fill.attempts, *_still_asked(fill))
        raise AllFailed(
            f"{fill.wanted.title}: no mirror answered in time; still trying", told
        ) from error


def _still_asked(fill: Fill) -> Iterator[Attempt]:
    """Name the mirrors that nothing was heard of so far: the fill itself waits a little longer."""
    heard = {attempt.mirror for attempt in fill.attempts}
    for mirror in fill.wanted.registry.mirrors:
        if mirror.name not in heard and mirror.carries(fill.wanted.repository):
            name = mirror.upstream_name(fill.wanted.repository)
            yield Attempt(mirror.name, name, MirrorSilent.outcome, "no answer in time")
