"""Manifests by digest: from memory, from the cache, from mirrors; kept before they are named."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from typing import TypeVar

import structlog

from entrepot.errors import BlobUnknown, Corrupt, Exhausted, ManifestUnknown, StoreError
from entrepot.metrics import Metrics
from entrepot.mirror.digestsearch import DigestSearch
from entrepot.mirror.flights import Flights
from entrepot.mirror.hints import Hints
from entrepot.mirror.ledger import Ledger
from entrepot.mirror.memory import ManifestMemory, NegativeCache
from entrepot.mirror.names import ImageName
from entrepot.mirror.privacy import Privacy
from entrepot.mirror.race import Race, Won, exhausted
from entrepot.mirror.registry import AskingOrder, Registry, asking_order
from entrepot.mirror.restoring import Restored, Restorer
from entrepot.mirror.room import Room
from entrepot.mirror.rules import Rules
from entrepot.oci.digest import Digest
from entrepot.oci.manifest import Manifest
from entrepot.oci.mediatype import SCHEMA1_SIGNED
from entrepot.oci.recognition import recognise
from entrepot.store.blobs import BlobStore
from entrepot.store.catalog import Catalog
from entrepot.store.children import linked_children
from entrepot.store.record import ManifestRecord, TagRecord
from entrepot.upstream.limits import Kind
from entrepot.upstream.mirror import MirrorClient

T = TypeVar("T")

Clock = Callable[[], float]
Key = tuple[str, str, str]
"""(registry, repository, reference)"""

MANIFEST_LIMIT_BYTES = 8 * 1024 * 1024
_FIRST_PART = 0.6

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Served:
    """A manifest with how it came about.

    `source` is hit, miss, revalidated or stale; `warning` is for the client's eyes (N-5).
    """

    manifest: Manifest
    source: str
    mirror: str = ""
    warning: str = ""


def first_part(deadline: float) -> float:
    """When to stop asking by digest, so that there is time left to ask by tag (loop time)."""
    now = asyncio.get_running_loop().time()
    return now + (deadline - now) * _FIRST_PART


def title(image: ImageName, reference: str) -> str:
    """The image as the person who asked for it writes it."""
    separator = "@" if ":" in reference else ":"
    return f"{image.namespace}/{image.repository}{separator}{reference}"


@dataclass(slots=True)
class Manifests:
    """What may be asked about manifests. `deadline` is loop time, `clock` the wall clock (s).

    `suspect` is told of a file that is not what it should be, and takes it out of the way.
    """

    registries: dict[str, Registry]
    store: BlobStore
    catalog: Catalog
    room: Room
    flights: Flights[Key, Served]
    metrics: Metrics
    overtake_s: float
    negative_ttl_s: float
    clock: Clock
    suspect: Callable[[Digest], Awaitable[object]]
    ledger: Ledger
    hints: Hints = field(default_factory=Hints)
    memory: ManifestMemory = field(default_factory=ManifestMemory)
    negative: NegativeCache = field(default_factory=NegativeCache)
    private: frozenset[str] = frozenset()
    rules: Rules = field(default_factory=Rules)
    restorer: Restorer = field(default_factory=Restorer)
    privacy: Privacy = field(init=False)

    def __post_init__(self) -> None:
        self.privacy = Privacy(self.store, self.private)

    def peek_for(self, image: ImageName, digest: Digest) -> Served | None:
        """The manifest if it is in memory and may be given in that name: no await, no I/O."""
        known = self.privacy.is_known_public(image.registry, digest)
        return self.peek(digest) if known else None

    def peek(self, digest: Digest) -> Served | None:
        """The manifest if it is in memory, whoever it is for: no await, no I/O."""
        manifest = self.memory.get(digest)
        if manifest is None:
            return None
        self.catalog.use_manifest(digest, self.clock())
        return Served(manifest, "hit")

    async def get(self, image: ImageName, digest: Digest, deadline: float) -> Served:
        """The manifest, whoever has it. Raises ManifestUnknown, AllFailed or AllThrottled."""
        held = await self.held(digest)
        if held is not None and await self.privacy.may_give(image.registry, digest):
            return Served(held, "hit")
        key = (image.registry, str(image.repository), str(digest))
        self.raise_if_absent(key)
        return await self.flights.join(key, lambda: self._fetch(image, digest, deadline))

    def holds(self, digest: Digest) -> bool:
        """Whether it is in memory, as a manifest (C-16)."""
        return digest in self.memory

    def forget(self, digests: Iterable[Digest]) -> None:
        """Let go of manifests that have left the cache: what is on the disk is what is held."""
        for digest in digests:
            self.memory.drop(digest)
            self.hints.forget(digest)

    async def held(self, digest: Digest) -> Manifest | None:
        """From memory, or from disk into memory; None unless the catalog and the disk have it."""
        manifest = self.memory.get(digest)
        if manifest is not None:
            self.catalog.use_manifest(digest, self.clock())
            return manifest
        lease = self.room.leases.take(digest)
        try:
            return await self._from_disk(digest)
        finally:
            lease.release()

    async def _from_disk(self, digest: Digest) -> Manifest | None:
        try:
            record = await self.catalog.manifest(digest)
            body = await self._proved(digest) if record is not None else None
        except StoreError as error:  # what the disk does not give, mirrors may (P30)
            log.warning("manifest.unreadable", digest=str(digest), reason=str(error))
            return None
        if record is not None and body is not None:
            manifest = Manifest(digest, record.media_type, body)
        elif record is not None or (found := await self._unlisted(digest)) is None:
            return None
        else:
            manifest = found
        self.catalog.use_manifest(digest, self.clock())
        if record is not None:
            self._remember(manifest, record.mirror, record.registry)
        else:
            self._remember(manifest, "", "")
        return manifest

    async def is_unlisted(self, digest: Digest) -> bool:
        """Whether it is a manifest on the disk that the catalog may not have heard of (C-16)."""
        return await self._unlisted(digest) is not None

    async def keep(
        self, image: ImageName, manifest: Manifest, mirror: str, tag: TagRecord | None = None
    ) -> None:
        """Store the bytes, then the records: a digest that was named can be got (P6, Q-2).

        A full disk costs the next request a question, never this one its answer (P30). Signed
        schema 1 stays in memory: its tags are not kept beyond that (F-3).
        """
        self._remember(manifest, mirror, image.registry)
        self.privacy.learn(image.registry, manifest.digest)
        if manifest.media_type == SCHEMA1_SIGNED:
            return
        record = ManifestRecord(
            digest=manifest.digest,
            media_type=manifest.media_type,
            size=manifest.size,
            mirror=mirror,
            registry=image.registry,
            repository=str(image.repository),
            used_at=self.clock(),
        )
        try:
            public = not self.privacy.covers(image.registry)
            async with self.room.place(manifest.digest, manifest.size, manifest=True):
                await self.store.put(manifest.digest, manifest.body, public=public)
                if tag is not None:
                    await self.catalog.record(record, linked_children(manifest), tag)
                else:
                    await self.catalog.put_manifest(record, linked_children(manifest))
        except StoreError as error:
            log.warning("manifest.not_kept", digest=str(manifest.digest), reason=str(error))

    async def race(
        self,
        image: ImageName,
        reference: str,
        ask: Callable[[MirrorClient], Coroutine[object, object, T]],
        deadline: float,
        *,
        prefer: str | None = None,
    ) -> Won[T]:
        """Ask the registry's mirrors; an absence they all confirm is remembered (F-9).

        Raises ManifestUnknown, AllFailed or AllThrottled.
        """
        kind = Kind.MANIFEST if ":" in reference else Kind.TAG
        race = self.contest(image, self.order(image, prefer=prefer), ask, deadline, kind)
        won = await race.run()
        if won is not None:
            return won
        error = exhausted(title(image, reference), tuple(race.attempts), ManifestUnknown)
        self.remember_absence(image, reference, error)
        raise error

    def remember_absence(self, image: ImageName, reference: str, error: Exhausted) -> None:
        """Answer so for a while, if `error` is that every mirror said 404 (F-9).

        `reference` is a tag or a digest, or what else is asked for, as in blobs/sha256:...
        """
        if isinstance(error, ManifestUnknown | BlobUnknown):
            key = (image.registry, str(image.repository), reference)
            wall_s = self.clock()
            self.negative.put(key, error, wall_s, wall_s + self.negative_ttl_s)

    def order(self, image: ImageName, *, prefer: str | None = None) -> AskingOrder:
        """Whom to ask for a manifest now; mirrors that lied of late come after the others."""
        return asking_order(
            self.registries[image.registry].mirrors,
            image.repository,
            asyncio.get_running_loop().time(),
            prefer=prefer,
            later=self.ledger.demoted(image.registry),
        )

    def contest(
        self,
        image: ImageName,
        order: AskingOrder,
        ask: Callable[[MirrorClient], Coroutine[object, object, T]],
        deadline: float,
        kind: Kind,
    ) -> Race[T]:
        """Make the race of `order` for an answer about a manifest of `image`."""
        return Race(
            order=order,
            repository=image.repository,
            ask=ask,
            overtake_s=self.overtake_s,
            deadline=deadline,
            metrics=self.metrics,
            kind=kind,
        )

    def raise_if_absent(self, key: Key) -> None:
        """Raise what was remembered, ManifestUnknown or BlobUnknown, while it holds."""
        error = self.negative.get(key, self.clock())
        if error is not None:
            raise error

    async def _fetch(self, image: ImageName, digest: Digest, deadline: float) -> Served:
        hint = self.hints.get(digest)
        search = DigestSearch(self.catalog, self.rules, self.restorer, self.held, image, digest)
        prefer = hint.mirror if hint is not None else None
        try:
            won = await self._search(image, search, deadline, prefer)
        finally:
            self.ledger.note(search.records(self.clock()))
        restored = won.answer
        await self.keep(image, restored.manifest, won.mirror.name)
        return Served(restored.manifest, "miss", won.mirror.name)

    async def _search(
        self, image: ImageName, search: DigestSearch, deadline: float, prefer: str | None
    ) -> Won[Restored]:
        """Ask everybody by the digest, and then, where it has one, by its tag."""
        order, named = self.order(image, prefer=prefer), await search.has_names()
        until = first_part(deadline) if named else deadline
        race = self.contest(image, order, search.ask, until, Kind.MANIFEST)
        won = await race.run()
        if won is None and named:
            again = self.contest(image, order, search.ask_by_name, deadline, Kind.TAG)
            won = await again.run()
        if won is not None:
            return won
        name = title(image, str(search.digest))
        error = exhausted(name, tuple(race.attempts), ManifestUnknown)
        self.remember_absence(image, str(search.digest), error)
        raise error

    async def _proved(self, digest: Digest) -> bytes | None:
        try:
            return await self.store.read(digest, MANIFEST_LIMIT_BYTES)
        except Corrupt as error:
            log.warning("manifest.rotten", digest=str(digest), reason=str(error))
            await self.suspect(digest)
            return None

    async def _unlisted(self, digest: Digest) -> Manifest | None:
        """Judge a file by its content, while the catalog does not know every file."""
        if not self.catalog.incomplete:
            return None
        try:
            body = await self.store.read(digest, MANIFEST_LIMIT_BYTES)
        except StoreError:  # too long, rotten, unreadable: in any case none
            return None
        return recognise(digest, body) if body is not None else None

    def _remember(self, manifest: Manifest, mirror: str, registry: str) -> None:
        """Digests of the owner's may be had from any mirror, others best where they come from."""
        known = self.registries.get(registry)
        owner = known is not None and known.is_owned_by(mirror)
        self.memory.put(manifest)
        self.hints.learn(manifest, "" if owner else mirror)
