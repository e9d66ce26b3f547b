"""Taking in what somebody brings: images from files, proved like everything else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import structlog

from entrepot.errors import (
    ArchiveInvalid,
    DigestInvalid,
    Incomplete,
    NameInvalid,
    TagInvalid,
)
from entrepot.mirror.fills import Fills
from entrepot.mirror.namedimage import NamedImage
from entrepot.mirror.names import NameTable
from entrepot.mirror.room import Room
from entrepot.mirror.rules import Rules
from entrepot.oci.digest import Digest
from entrepot.oci.manifest import Manifest, read_manifest
from entrepot.oci.mediatype import is_schema1
from entrepot.store.children import linked_children
from entrepot.store.closure import Closure
from entrepot.store.partial import Partial
from entrepot.store.record import BlobRecord, Child, ManifestRecord, TagRecord

SOURCE = "import"
"""What stands in the catalog where the mirror's name would."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of one name; `refused` says why it cannot be, `pinned` what it should be."""

    told: str
    place: NamedImage | None = None
    refused: str = ""
    pinned: Digest | None = None


@dataclass(slots=True)
class Intake:
    """`private` are registries by their canonical names; `fills` those of a running server.

    `load_rules` reads the pins and policies that tags are given by, in a thread. Methods raise
    StoreError.
    """

    names: NameTable
    room: Room
    private: frozenset[str] = frozenset()
    fills: Fills | None = None
    load_rules: Callable[[], Rules] = Rules
    _rules: Rules | None = None
    _loading: asyncio.Lock = field(default_factory=asyncio.Lock)

    def follow(
        self, names: NameTable, private: frozenset[str], load_rules: Callable[[], Rules]
    ) -> None:
        """Go by other settings from now on."""
        self.names, self.private = names, private
        self.load_rules, self._rules = load_rules, None

    async def judge(self, text: str, digest: Digest) -> Verdict:
        """Tell what becomes of the image `digest` that somebody calls `text`."""
        try:
            place = self.place(text)
        except (NameInvalid, TagInvalid, DigestInvalid) as error:
            return Verdict(text, refused=str(error))
        if self.names.canonical(place.registry) is None:
            served = f"{place.registry} is not served here. Served: {self.names.served}"
            return Verdict(text, refused=served)
        if isinstance(place.reference, Digest):
            if place.reference != digest:
                return Verdict(text, place, refused=f"what is in the file is {digest}")
            return Verdict(text, place)
        rules = await self._known_rules()
        pin = rules.demanded(place.registry, place.repository, place.reference)
        if pin is not None and not pin.allows(digest):
            return Verdict(text, place, pinned=pin.digest)
        return Verdict(text, place)

    def place(self, text: str) -> NamedImage:
        """Read a name as people write it; NameInvalid, TagInvalid or DigestInvalid."""
        return NamedImage.read(text, self.names)

    async def held(self, digests: list[Digest]) -> set[Digest]:
        """Tell which of them are here."""
        return set(await self.room.store.sizes(digests))

    async def take_blob(
        self, digest: Digest, size: int, registry: str, pieces: AsyncIterator[bytes]
    ) -> bool:
        """Keep a blob; False when it was here. ArchiveInvalid when the bytes are others.

        It is durable on return, but nothing names it yet: the next gc would take it.
        """
        public = registry not in self.private
        lease = self.room.leases.take(digest)
        try:
            partial = await self._begin(digest, public=public)
            if partial is None:
                if public:
                    await self.room.store.publish(digest)
                return False
            try:
                with self.room.flight(digest, lambda: (size, partial.written.total)):
                    await self._fill(partial, size, pieces)
                    async with self.room.place(digest, size):
                        await partial.commit()
                        now = self.room.clock()
                        await self.room.enter(BlobRecord(digest, size, now, now, registry, SOURCE))
            finally:
                await partial.discard()
        finally:
            lease.release()
        return True

    async def take_manifest(
        self, digest: Digest, media_type: str, body: bytes, place: NamedImage, *, named: bool
    ) -> Manifest:
        """Keep a manifest; with `named`, it is what the tag of `place` stands for from now on.

        ArchiveInvalid when it is not what it should be, Incomplete when a name is to be given to
        something of which no platform is here.
        """
        try:
            manifest = read_manifest(body, media_type, expected=digest)
        except ValueError as error:
            raise ArchiveInvalid(f"{digest}: {error}") from error
        if is_schema1(manifest.media_type):
            raise ArchiveInvalid(f"{digest} is a schema 1 manifest, which is not imported")
        if named:
            await self._check(manifest, place)
        now = self.room.clock()
        record = ManifestRecord(
            digest=digest,
            media_type=manifest.media_type,
            size=manifest.size,
            mirror=SOURCE,
            registry=place.registry,
            repository=place.repository,
            used_at=now,
        )
        store, catalog = self.room.store, self.room.catalog
        children = linked_children(manifest)
        async with self.room.place(digest, manifest.size, manifest=True):
            await store.put(digest, body, public=place.registry not in self.private)
            if named and not isinstance(place.reference, Digest):
                tag = TagRecord(
                    registry=place.registry,
                    repository=place.repository,
                    tag=place.reference,
                    digest=digest,
                    media_type=manifest.media_type,
                    size=manifest.size,
                    checked_at=now,
                    mirror=SOURCE,
                )
                await catalog.record(record, children, tag)
            else:
                await catalog.put_manifest(record, children)
        if named:
            log.info("image.imported", image=str(place), digest=str(digest))
        return manifest

    async def _check(self, manifest: Manifest, place: NamedImage) -> None:
        closure = Closure(self.room.catalog, self.room.store)
        root = Child(manifest.digest, manifest.media_type, manifest.size)
        found = await closure.check(root, manifest)
        if not found.pullable:
            lost = [str(one.digest) for state in found.platforms for one in state.missing]
            raise Incomplete(f"{place} is not complete: {', '.join(lost[:5])} is not here")

    async def _begin(self, digest: Digest, *, public: bool) -> Partial | None:
        """Begin with nothing, after whoever fetches it now; None when it is here."""
        store = self.room.store
        fill = self.fills.get(digest) if self.fills is not None else None
        if fill is not None:
            await fill.wait_ended()
        if await store.readable(digest) is not None:
            return None
        partial = await store.begin(digest, public=public)
        try:
            if partial.written.total or partial.size is not None:
                await partial.reset()
        except BaseException:
            await partial.discard()
            raise
        return partial

    async def _fill(self, partial: Partial, size: int, pieces: AsyncIterator[bytes]) -> None:
        partial.size = size
        offset = 0
        async for data in pieces:
            if offset + len(data) > size:
                raise ArchiveInvalid(f"{partial.digest} has more than its {size} bytes")
            await self._write(partial, offset, data)
            offset += len(data)
        if offset != size or not await partial.verify():
            told = f"{offset} of {size} bytes" if offset != size else "other bytes"
            raise ArchiveInvalid(f"{partial.digest} is damaged: {told} came")

    async def _write(self, partial: Partial, offset: int, data: bytes) -> None:
        def missing() -> int:
            return (partial.size or 0) - offset

        await self.room.for_disk(lambda: partial.write(offset, data), missing)

    async def _known_rules(self) -> Rules:
        async with self._loading:
            if self._rules is None:
                self._rules = await asyncio.to_thread(self.load_rules)
            return self._rules
