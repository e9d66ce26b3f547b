"""Tags: fresh from memory, decided on with mirrors, stale when nobody can be asked."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import structlog

from entrepot.errors import Exhausted, StoreError
from entrepot.mirror.flights import Flights
from entrepot.mirror.freshness import Freshness, tag_freshness
from entrepot.mirror.inquiry import Finding, Inquiry
from entrepot.mirror.judging import judged
from entrepot.mirror.manifests import Key, Manifests, Served, title
from entrepot.mirror.memory import ForAWhile
from entrepot.mirror.names import ImageName
from entrepot.oci.manifest import Manifest
from entrepot.oci.reference import Tag
from entrepot.store.catalog import Catalog
from entrepot.store.record import TagRecord
from entrepot.trust.decision import Question
from entrepot.trust.level import Level
from entrepot.trust.verdicts import Event, Keep, Refuse
from entrepot.trust.voting import Voter

log = structlog.get_logger(__name__)

_PIN = int(Level.PIN)
_UNCONFIRMED = "not confirmed by any mirror"


@dataclass(slots=True)
class Tags:
    """What may be asked about tags. `deadline` is loop time."""

    manifests: Manifests
    catalog: Catalog
    flights: Flights[Key, Served]
    _unanswered: ForAWhile[str] = field(default_factory=ForAWhile)

    def peek(self, image: ImageName, tag: Tag) -> Served | None:
        """The answer if it is fresh and in memory: no await, no I/O, the path of most requests."""
        record = self.catalog.peek_tag(image.registry, image.repository, tag)
        if record is None or not self.manifests.rules.have_vetted(record):
            return None
        if not self._is_fresh(record):
            return None
        served = self.manifests.peek(record.digest)
        return Served(served.manifest, "hit", record.mirror) if served is not None else None

    async def get(self, image: ImageName, tag: Tag, deadline: float) -> Served:
        """What the tag stands for; the manifest's bytes are stored before this returns (P6).

        What is held is given only if the pins and the policy let it be, whoever can be asked.
        Raises ManifestUnknown, Untrusted, AllFailed or AllThrottled, and only while nothing is
        held that may be given.
        """
        key = (image.registry, str(image.repository), str(tag))
        record = await self._known(image, tag)
        held = await self.manifests.held(record.digest) if record is not None else None
        vetted = await self._vetted(record) if record is not None else None
        if vetted is None or held is None:
            if record is None:
                self.manifests.raise_if_absent(key)
            return await self.flights.join(
                key, lambda: self._resolve(image, tag, record, held, deadline)
            )
        if self._is_fresh(vetted):
            return Served(held, "hit", vetted.mirror)
        if self.manifests.registries[image.registry].offline:
            return self._stale(image, vetted, held, "Entrepot is offline")
        unanswered = self._unanswered.get(key, self.manifests.clock())
        if unanswered is not None:
            return self._stale(image, vetted, held, unanswered)
        return await self._revalidated(image, vetted, held, deadline)

    async def _known(self, image: ImageName, tag: Tag) -> TagRecord | None:
        try:
            return await self.catalog.tag(image.registry, image.repository, tag)
        except StoreError as error:  # what the disk does not tell, mirrors may (P30)
            log.warning("tag.unreadable", image=title(image, tag), reason=str(error))
            return None

    async def _vetted(self, record: TagRecord) -> TagRecord | None:
        """The record as it counts by the pins and policies of now; None: it must not be given."""
        rules = self.manifests.rules
        if rules.have_vetted(record):
            return record
        vetted = rules.vetted(record)
        if vetted is None:
            return None
        if vetted.level == record.level:
            self.catalog.vet_tag(record, vetted)
        else:
            await self._amend(record, vetted)
        return vetted

    async def _amend(self, before: TagRecord, record: TagRecord) -> None:
        try:
            await self.catalog.amend_tag(before, record)
        except StoreError as error:  # it counts all the same, for as long as this process runs
            self.catalog.vet_tag(before, record)
            log.warning("tag.not_kept", tag=record.tag, reason=str(error))

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
                    record.key, lambda: self._resolve(image, record.tag, record, held, deadline)
                )
        except (Exhausted, TimeoutError) as error:
            return self._put_off(image, record, held, str(error) or "no answer in time")

    async def _resolve(
        self,
        image: ImageName,
        tag: Tag,
        record: TagRecord | None,
        held: Manifest | None,
        deadline: float,
    ) -> Served:
        """Have it decided what the tag means, and keep that."""
        inquiry = Inquiry(
            self.manifests, image, tag, self._question(image, tag, record), held, deadline
        )
        decision = await inquiry.run()
        judged(self.manifests, image, tag, decision, tuple(inquiry.answers.values()))
        if isinstance(decision, Refuse):
            error = inquiry.refusal(decision)
            self.manifests.remember_absence(image, tag, error)
            raise error
        finding = await inquiry.finding(decision)
        if isinstance(decision, Keep) and record is not None:
            return await self._kept(image, record, held, finding, inquiry)
        await self._keep(image, tag, finding)
        if record is not None and record.digest != finding.heard.manifest.digest:
            log.info(
                "tag.moved",
                image=title(image, tag),
                mirror=finding.mirror,
                before=str(record.digest),
                now=str(finding.heard.manifest.digest),
            )
        return Served(finding.heard.manifest, "miss", finding.mirror, self._warning(finding))

    def _question(self, image: ImageName, tag: Tag, record: TagRecord | None) -> Question:
        rules = self.manifests.rules
        order = self.manifests.order(image)
        mirrors = (*order.usable, *order.last_resort)
        return Question(
            tag=tag,
            policy=rules.policy(image.registry, image.repository),
            voters=tuple(Voter(mirror.name, mirror.authority, mirror.host) for mirror in mirrors),
            pin=rules.pin(image.registry, image.repository, tag),
            held=rules.held(record) if record is not None else None,
        )

    async def _kept(
        self,
        image: ImageName,
        record: TagRecord,
        held: Manifest | None,
        finding: Finding,
        inquiry: Inquiry,
    ) -> Served:
        """Go on with what is held."""
        decision, manifest = finding.decision, finding.heard.manifest
        counted = replace(record, level=int(decision.level), vetted=self.manifests.rules.number)
        if held is None:  # its bytes had gone, and are back
            await self.manifests.keep(image, manifest, finding.mirror, counted)
        if isinstance(decision, Keep) and decision.confirmed:
            now = self.manifests.clock()
            if counted.level != record.level:
                await self._amend(record, replace(counted, checked_at=now))
            else:
                self.catalog.touch_tag(counted, now)
            source = "revalidated" if inquiry.attempts or inquiry.answers else "hit"
            return Served(manifest, source, finding.mirror)
        if not self.manifests.rules.have_vetted(record):
            self.catalog.vet_tag(record, counted)
        moved = [r for r in decision.reports if r.event is Event.MOVE_REFUSED]
        why = "; ".join(map(str, moved)) or "; ".join(a.message for a in inquiry.attempts)
        return self._put_off(image, counted, manifest, why, told=bool(moved))

    def _put_off(
        self, image: ImageName, record: TagRecord, held: Manifest, why: str, *, told: bool = False
    ) -> Served:
        """Give what is held, and ask nobody again for a while; `told` has clients hear why."""
        wall_s = self.manifests.clock()
        warning = why if told else _UNCONFIRMED
        until = wall_s + self.manifests.negative_ttl_s
        self._unanswered.put(record.key, value=warning, now=wall_s, until=until)
        log.info("tag.stale", image=title(image, record.tag), reason=why)
        return self._stale(image, record, held, warning)

    async def _keep(self, image: ImageName, tag: Tag, finding: Finding) -> None:
        manifest, mirror = finding.heard.manifest, finding.mirror
        for child in finding.heard.children:
            await self.manifests.keep(image, child, mirror)
        record = TagRecord(
            registry=image.registry,
            repository=image.repository,
            tag=tag,
            digest=manifest.digest,
            media_type=manifest.media_type,
            size=manifest.size,
            checked_at=self.manifests.clock(),
            mirror=mirror,
            level=int(finding.decision.level),
            vetted=self.manifests.rules.number,
        )
        await self.manifests.keep(image, manifest, mirror, record)

    def _warning(self, finding: Finding) -> str:
        events = (Event.UNVERIFIED, Event.PIN_NOT_MET, Event.DISAGREEMENT)
        return "; ".join(str(r) for r in finding.decision.reports if r.event in events)

    def _stale(
        self, image: ImageName, record: TagRecord, held: Manifest, why: str = _UNCONFIRMED
    ) -> Served:
        self.manifests.metrics.stale.labels(image.registry).inc()
        checked = datetime.fromtimestamp(record.checked_at, UTC).strftime("%Y-%m-%d %H:%M UTC")
        told = f"{title(image, record.tag)}: {why}; as of {checked}"
        return Served(held, "stale", record.mirror, told)

    def _is_fresh(self, record: TagRecord) -> bool:
        """Whether it needs no asking: checked of late, or pinned, which is for good."""
        if record.level == _PIN:
            return True
        ttl_s = self.manifests.registries[record.registry].tag_ttl_s
        now = self.manifests.clock()
        return tag_freshness(ttl_s, record.checked_at, now) is Freshness.FRESH
