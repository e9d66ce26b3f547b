"""Where things came from: `entrepot why` and `entrepot ledger`, of a server or of a directory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from entrepot.errors import NotHere, TagInvalid
from entrepot.mirror.imagenames import image_name
from entrepot.mirror.ledger import DEMOTED_S, Ledger, record_of
from entrepot.mirror.meant import instead, is_known, namesakes
from entrepot.mirror.names import NameTable
from entrepot.mirror.rules import Rules
from entrepot.oci.digest import Digest
from entrepot.oci.reference import Reference, RepositoryName, Tag
from entrepot.store.candidates import Root, read_candidates
from entrepot.store.catalog import Catalog
from entrepot.store.ledger import MOST_ROWS, VerdictCount, ledger_rows
from entrepot.store.record import ManifestRecord, TagRecord
from entrepot.trust.ledger import LedgerRecord, Verdict, came_from
from entrepot.trust.level import Level
from entrepot.trust.pins import Pin
from entrepot.trust.policy import Policy

_MOST_RECORDS = 1000
_MOST_NAMES = 100


@dataclass(frozen=True, slots=True)
class Given:
    """So many blobs of an image, with so many bytes, that were fetched from `mirrors`."""

    mirrors: str
    blobs: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Origin:
    """All that is known of one image: what it is here, why, and what mirrors said of it.

    `tag` and `manifest` are None where it is not here. `names` are other tags of the same digest.
    `records` are oldest first; `demoted` are mirrors that are asked after the others now.
    """

    name: str
    registry: str
    repository: RepositoryName
    reference: Reference
    policy: Policy
    tag: TagRecord | None = None
    manifest: ManifestRecord | None = None
    level: Level | None = None
    pin: Pin | None = None
    names: tuple[str, ...] = ()
    given: tuple[Given, ...] = ()
    records: tuple[LedgerRecord, ...] = ()
    demoted: tuple[str, ...] = ()

    @property
    def digest(self) -> Digest | None:
        """What it is here."""
        if isinstance(self.reference, Digest):
            return self.reference if self.manifest is not None else None
        return self.tag.digest if self.tag is not None else None


@dataclass(frozen=True, slots=True)
class Suspect:
    """What a mirror's word alone brought; `held` when the cache still has it under that name."""

    record: LedgerRecord
    held: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """How one mirror of one registry stands: `demoted` while it is asked after the others."""

    registry: str
    mirror: str
    counts: tuple[tuple[Verdict, int], ...]
    last_at: float
    demoted: bool


@dataclass(slots=True)
class Origins:
    """`load_rules` reads pins and policies, in a thread, when they are first needed."""

    names: NameTable
    catalog: Catalog
    ledger: Ledger
    load_rules: Callable[[], Rules] = Rules
    _rules: Rules | None = field(default=None, init=False)

    async def rules(self) -> Rules:
        """Give the pins and policies; PinsInvalid when a file of pins cannot be used."""
        if self._rules is None:
            self._rules = await asyncio.to_thread(self.load_rules)
        return self._rules

    async def why(self, text: str) -> Origin:
        """Tell everything about an image; NotHere when nothing at all is known of it.

        NameInvalid and the like for what is no image's name, StoreError for a failing disk.
        """
        await self.catalog.flush()
        name = image_name(text, self.names)
        registry, repository, reference = _parted(name)
        rules = await self.rules()
        tag = pin = None
        if isinstance(reference, Tag):
            tag = await self.catalog.tag(registry, repository, reference)
            pin = rules.pins.pin(registry, repository, reference)
        digest = reference if isinstance(reference, Digest) else tag.digest if tag else None
        manifest = await self.catalog.manifest(digest) if digest is not None else None
        parts = await self._parts(manifest.digest) if manifest is not None else {}
        records = await self._records(registry, repository, reference, {digest, *parts})
        if tag is None and manifest is None and pin is None and not records:
            meant = instead(await self.meant(name))
            raise NotHere(
                f"nothing is known of {name}: it is not here, and nobody was asked{meant}"
            )
        demoted = self.ledger.demoted(registry)
        return Origin(
            name=name,
            registry=registry,
            repository=repository,
            reference=reference,
            policy=rules.policy(registry, repository),
            tag=tag,
            manifest=manifest,
            level=_level(rules, tag, manifest, reference),
            pin=pin,
            names=await self._names(digest, name) if digest is not None else (),
            given=_given(parts.values()),
            records=records,
            demoted=tuple(sorted(demoted)),
        )

    async def meant(self, text: str) -> tuple[str, ...]:
        """Name images of other registries by exactly this name, which are held or known of."""
        registry, repository, reference = _parted(image_name(text, self.names))
        if not isinstance(reference, Tag):
            return ()
        pins = (await self.rules()).pins
        found = []
        for key in namesakes(registry, repository, reference, self.names):
            known = await asyncio.to_thread(is_known, *key, self.names, pins)
            if known or await self.catalog.tag(*key) is not None:
                found.append(f"{key[0]}/{key[1]}:{key[2]}")
        return tuple(found)

    async def records(
        self,
        *,
        mirror: str | None = None,
        image: str | None = None,
        since: float | None = None,
        limit: int = _MOST_RECORDS,
    ) -> tuple[LedgerRecord, ...]:
        """Find the newest records, told oldest first; `image` is a name as people write it."""
        registry = repository = reference = None
        if image is not None:
            registry, repository, reference = _parted(image_name(image, self.names))
        return await self.ledger.records(
            registry=registry,
            repository=repository,
            reference=None if reference is None else str(reference),
            mirror=mirror,
            since=since,
            limit=limit,
        )

    async def standings(self, since: float = 0.0) -> tuple[Standing, ...]:
        """Tell how mirrors stand, those most often refused first."""
        found: dict[tuple[str, str], list[VerdictCount]] = {}
        for one in await self.ledger.counts(since):
            if one.mirror:
                found.setdefault((one.registry, one.mirror), []).append(one)
        standings = [
            Standing(
                registry,
                mirror,
                tuple((Verdict(one.verdict), one.count) for one in counts),
                max(one.last_at for one in counts),
                mirror in self.ledger.demoted(registry),
            )
            for (registry, mirror), counts in found.items()
        ]
        refused = Verdict.REFUSED
        return tuple(
            sorted(standings, key=lambda one: (-dict(one.counts).get(refused, 0), one.mirror))
        )

    async def came_from(self, mirror: str, before: float | None = None) -> tuple[Suspect, ...]:
        """Find what only this mirror's word brought, up to a time: what to look at again.

        What a pin names by now, or what better evidence has confirmed, is left out.
        """
        await self.ledger.flush()
        rows = await ledger_rows(self.catalog, mirror=mirror, limit=MOST_ROWS)
        read = await asyncio.to_thread(lambda: [record_of(row) for row in rows])
        mine = [one for one in read if one is not None and (before is None or one.at < before)]
        found: list[Suspect] = []
        for image in dict.fromkeys((one.registry, one.repository, one.reference) for one in mine):
            if isinstance(image[2], Digest):
                continue  # which its bytes prove, whoever sent them
            others = await self.ledger.records(
                registry=image[0], repository=image[1], reference=str(image[2])
            )
            here = [one for one in mine if (one.registry, one.repository, one.reference) == image]
            told = {*here, *(one for one in others if one.mirror != mirror)}
            for record in came_from(told, mirror):
                suspect = await self._suspect(record)
                found += [suspect] if suspect is not None else []
        return tuple(sorted(found, key=lambda one: one.record.at))

    async def _suspect(self, record: LedgerRecord) -> Suspect | None:
        if not isinstance(record.reference, Tag) or record.digest is None:
            return None
        rules = await self.rules()
        pin = rules.pins.pin(record.registry, record.repository, record.reference)
        if pin is not None and pin.allows(record.digest):
            return None
        tag = await self.catalog.tag(record.registry, record.repository, record.reference)
        held = tag is not None and tag.digest == record.digest
        if tag is not None and held and rules.held(tag).level > Level.FIRST:
            return None
        return Suspect(record, held)

    async def _records(
        self,
        registry: str,
        repository: RepositoryName,
        reference: Reference,
        digests: set[Digest | None],
    ) -> tuple[LedgerRecord, ...]:
        """Find what was said of the name, and wrong bytes for anything that belongs to it."""
        asked = self.ledger.records
        named = await asked(registry=registry, repository=repository, reference=str(reference))
        lies = [
            record
            for record in await asked(registry=registry, repository=repository)
            if record.reference in digests and record.reference != reference
        ]
        return tuple(sorted((*named, *lies), key=lambda one: one.at))

    async def _parts(self, digest: Digest) -> dict[Digest, tuple[str, int]]:
        """List what is here of an image: whose mirrors gave it, and its size."""
        found = {}
        for candidate in await read_candidates(self.catalog, [Root(str(digest), 0.0)]):
            for part in candidate.parts:
                blob = await self.catalog.blob(Digest.parse(part))
                if blob is not None:
                    found[blob.digest] = (blob.mirror, blob.size)
        return found

    async def _names(self, digest: Digest, but: str) -> tuple[str, ...]:
        tags = await self.catalog.tags_of(digest, _MOST_NAMES)
        names = (f"{tag.registry}/{tag.repository}:{tag.tag}" for tag in tags)
        return tuple(sorted(name for name in names if name != but))


def _parted(name: str) -> tuple[str, RepositoryName, Reference]:
    """Take a name of `image_name` apart."""
    registry, _, rest = name.partition("/")
    repository, at, digest = rest.partition("@")
    if at:
        return registry, RepositoryName(repository), Digest.parse(digest)
    repository, colon, tag = rest.rpartition(":")
    if not colon:
        raise TagInvalid(f"{name} has no tag")
    return registry, RepositoryName(repository), Tag(tag)


def _level(
    rules: Rules, tag: TagRecord | None, manifest: ManifestRecord | None, reference: Reference
) -> Level | None:
    if isinstance(reference, Digest):
        return Level.DIGEST if manifest is not None else None
    if tag is None:
        return None
    pin = rules.pin(tag.registry, tag.repository, tag.tag)
    return Level.PIN if pin is not None and pin.allows(tag.digest) else rules.held(tag).level


def _given(parts: Iterable[tuple[str, int]]) -> tuple[Given, ...]:
    found: dict[str, Given] = {}
    for mirrors, size in parts:
        before = found.get(mirrors, Given(mirrors, 0, 0))
        found[mirrors] = Given(mirrors, before.blobs + 1, before.bytes + size)
    return tuple(sorted(found.values(), key=lambda one: -one.bytes))


def demoted_until(origin: Origin) -> dict[str, float]:
    """Tell until when each demoted mirror is asked later, as far as this image's records say."""
    return {
        record.mirror: record.at + DEMOTED_S
        for record in origin.records
        if record.verdict is Verdict.REFUSED and record.mirror in origin.demoted
    }
