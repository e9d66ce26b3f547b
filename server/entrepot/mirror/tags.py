"""Tags: fresh from memory, revalidated with mirrors, stale when nobody can be asked."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime

import structlog

from entrepot.errors import Exhausted, StoreError
from entrepot.mirror.flights import Flights
from entrepot.mirror.freshness import Freshness, tag_freshness
from entrepot.mirror.manifests import Key, Manifests, Served, title
from entrepot.mirror.memory import ForAWhile
from entrepot.mirror.names import ImageName
from entrepot.oci.manifest import Manifest
from entrepot.oci.reference import Tag
from entrepot.store.catalog import Catalog
from entrepot.store.record import TagRecord
from entrepot.upstream.mirror import MirrorClient

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Unchanged:
    """The mirror's HEAD named the digest we hold."""


@dataclass(slots=True)
class Tags:
    """What may be asked about tags. `deadline` is loop time."""

    manifests: Manifests
    catalog: Catalog
    flights: Flights[Key, Served]
    _unanswered: ForAWhile[bool] = field(default_factory=ForAWhile)

    def peek(self, image: ImageName, tag: Tag) -> Served | None:
        """The answer if it is fresh and in memory: no await, no I/O, the path of most requests."""
        record = self.catalog.peek_tag(image.registry, image.repository, tag)
        if record is None or not self._is_fresh(record):
            return None
        served = self.manifests.peek(record.digest)
        return Served(served.manifest, "hit", record.mirror) if served is not None else None

    async def get(self, image: ImageName, tag: Tag, deadline: float) -> Served:
        """What the tag stands for; the manifest's bytes are stored before this returns (P6).

        Raises ManifestUnknown, AllFailed or AllThrottled, and only while nothing is held.
        """
        key = (image.registry, str(image.repository), str(tag))
        record = await self._known(image, tag)
        held = await self.manifests.held(record.digest) if record is not None else None
        if record is None or held is None:
            self.manifests.raise_if_absent(key)
            return await self.flights.join(key, lambda: self._fetch(image, tag, deadline))
        if self._is_fresh(record):
            return Served(held, "hit", record.mirror)
        if self.manifests.registries[image.registry].offline:
            return self._stale(image, record, held, "Entrepot is offline")
        if self._unanswered.get(key, self.manifests.clock()):
            return self._stale(image, record, held)
        return await self._revalidated(image, record, held, deadline)

    async def _known(self, image: ImageName, tag: Tag) -> TagRecord | None:
        try:
            return await self.catalog.tag(image.registry, image.repository, tag)
        except StoreError as error:  # what the disk does not tell, mirrors may (P30)
            log.warning("tag.unreadable", image=title(image, tag), reason=str(error))
            return None

    async def _revalidated(
        self, image: ImageName, record: TagRecord, held: Manifest, deadline: float
    ) -> Served:
        """Ask whether the tag has moved, but no longer than it takes to overtake twice.

        An answer is at hand, so a client does not wait for mirrors that do not answer; the question
        goes on in the background and settles the next request.
        """
        now = asyncio.get_running_loop().time()
        patience = min(deadline, now + 2 * self.manifests.overtake_s)
        try:
            async with asyncio.timeout_at(patience):
                return await self.flights.join(
                    record.key, lambda: self._refresh(image, record, held, deadline)
                )
        except (Exhausted, TimeoutError) as error:
            reason = str(error) or "no answer in time"
            wall_s = self.manifests.clock()
            until = wall_s + self.manifests.negative_ttl_s
            self._unanswered.put(record.key, value=True, now=wall_s, until=until)
            log.info("tag.stale", image=title(image, record.tag), reason=reason)
            return self._stale(image, record, held)

    async def _refresh(
        self, image: ImageName, record: TagRecord, held: Manifest, deadline: float
    ) -> Served:
        tag = record.tag

        async def ask(mirror: MirrorClient) -> Manifest | _Unchanged:
            head = await mirror.head_manifest(image.repository, tag)  # free on Docker Hub (U-9)
            if head.digest == record.digest:
                return _Unchanged()
            return await mirror.get_manifest(image.repository, tag)

        clock = self.manifests.clock
        won = await self.manifests.race(image, record.tag, ask, deadline)
        answer = won.answer
        if isinstance(answer, _Unchanged) or answer.digest == record.digest:
            self.catalog.touch_tag(record, clock())
            return Served(held, "revalidated", won.mirror.name)
        await self._keep(image, tag, answer, won.mirror.name)
        log.info(
            "tag.moved",
            image=title(image, tag),
            mirror=won.mirror.name,
            before=str(record.digest),
            now=str(answer.digest),
        )
        return Served(answer, "miss", won.mirror.name)

    async def _fetch(self, image: ImageName, tag: Tag, deadline: float) -> Served:
        async def ask(mirror: MirrorClient) -> Manifest:
            return await mirror.get_manifest(image.repository, tag)

        won = await self.manifests.race(image, str(tag), ask, deadline)
        await self._keep(image, tag, won.answer, won.mirror.name)
        return Served(won.answer, "miss", won.mirror.name)

    async def _keep(self, image: ImageName, tag: Tag, manifest: Manifest, mirror: str) -> None:
        record = TagRecord(
            registry=image.registry,
            repository=image.repository,
            tag=tag,
            digest=manifest.digest,
            media_type=manifest.media_type,
            size=manifest.size,
            checked_at=self.manifests.clock(),
            mirror=mirror,
        )
        await self.manifests.keep(image, manifest, mirror, record)

    def _stale(
        self,
        image: ImageName,
        record: TagRecord,
        held: Manifest,
        why: str = "not confirmed by any mirror",
    ) -> Served:
        self.manifests.metrics.stale.labels(image.registry).inc()
        checked = datetime.fromtimestamp(record.checked_at, UTC).strftime("%Y-%m-%d %H:%M UTC")
        told = f"{title(image, record.tag)}: {why}; as of {checked}"
        return Served(held, "stale", record.mirror, told)

    def _is_fresh(self, record: TagRecord) -> bool:
        ttl_s = self.manifests.registries[record.registry].tag_ttl_s
        now = self.manifests.clock()
        return tag_freshness(ttl_s, record.checked_at, now) is Freshness.FRESH
