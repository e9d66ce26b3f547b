"""All that an operator may do to a cache: look at it, take something out, tidy up, check it.

Of a running server and of a directory that no server uses: then there is nobody to ask, nothing in
progress, and no switch to go offline with.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from entrepot.errors import DigestInvalid, NameInvalid, NotHere, RequestError
from entrepot.mirror.fills import Fills
from entrepot.mirror.imagenames import image_glob, image_name, keep_pattern, search_glob
from entrepot.mirror.ledger import Ledger
from entrepot.mirror.meant import instead
from entrepot.mirror.names import NameTable
from entrepot.mirror.origins import Origins
from entrepot.mirror.room import Room
from entrepot.mirror.rules import Rules
from entrepot.mirror.takeout import TakeOut
from entrepot.mirror.watermarks import Limits
from entrepot.oci.digest import Digest
from entrepot.oci.pattern import ImagePattern
from entrepot.oci.reference import RepositoryName, Tag
from entrepot.store.candidates import Candidate, Root, read_candidates
from entrepot.store.closure import Closure
from entrepot.store.holdings import held_blobs, images_with
from entrepot.store.inventory import PAGE, ImageRecord, Inventory
from entrepot.store.keeps import add_keep, list_keeps, remove_keep
from entrepot.store.record import Totals
from entrepot.store.scrub import ScrubStatus, Verdict
from entrepot.store.sweep import SweepReport
from entrepot.store.upkeep import Upkeep
from entrepot.upstream.outbound import Outbound

PARTIAL_GRACE_S = 3600.0
"""A download that broke off so lately may be gone on with: whoever wanted it tries again."""


@dataclass(frozen=True, slots=True)
class Amount:
    """So many blobs with so many bytes."""

    blobs: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class Removal:
    """What became of an image that was to go; `names` are the tags that went.

    `remaining` are names by which its manifest stays. `shared` are blobs that other images need,
    `in_use` those that somebody reads or fetches now: the next gc finds them.
    """

    name: str
    digest: Digest
    names: tuple[str, ...] = ()
    remaining: tuple[str, ...] = ()
    listed: bool = False
    freed: Amount = Amount()
    shared: Amount = Amount()
    in_use: Amount = Amount()


@dataclass(frozen=True, slots=True)
class Collected:
    """What a gc did; `evicted` counts images that had to go because of the limits."""

    sweep: SweepReport
    evicted: int
    partials: int
    freed_bytes: int
    held: Totals


@dataclass(frozen=True, slots=True)
class Checked:
    """One blob that was hashed again; `images` are those it belongs to, when it is not sound."""

    digest: Digest
    size: int
    verdict: Verdict
    images: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Kept:
    """What is never evicted: by the settings, and by what was told at run time."""

    settings: tuple[str, ...]
    told: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Status:
    """How things are. `offline` and `fills` are None where no server runs."""

    held: Totals
    limits: Limits
    unfinished: Amount
    incomplete: bool
    offline: bool | None
    fills: int | None
    scrub: ScrubStatus


@dataclass(slots=True)
class Library:
    """`rules` are the settings' words for what is kept. Methods raise StoreError.

    `outbound` and `fills` are those of a running server. `load_rules` reads pins and policies.
    """

    names: NameTable
    room: Room
    upkeep: Upkeep
    rules: tuple[str, ...] = ()
    outbound: Outbound | None = None
    fills: Fills | None = None
    ledger: Ledger | None = None
    load_rules: Callable[[], Rules] = Rules
    origins: Origins = field(init=False)
    inventory: Inventory = field(init=False)
    _take_out: TakeOut = field(init=False)

    def __post_init__(self) -> None:
        room = self.room
        ledger = self.ledger or Ledger(room.catalog, room.clock)
        self.origins = Origins(self.names, room.catalog, ledger, self.load_rules)
        self.inventory = Inventory(room.catalog, Closure(room.catalog, room.store))
        self._take_out = TakeOut(room.accounts, room.leases, room.clock, lambda d: room.forget(d))  # noqa: PLW0108 - may be set later
        self.upkeep.sweep.in_use = lambda digest: digest in room.leases

    def follow(
        self, names: NameTable, rules: tuple[str, ...], load_rules: Callable[[], Rules]
    ) -> None:
        """Go by other settings from now on."""
        self.names, self.rules, self.load_rules = names, rules, load_rules
        ledger = self.ledger or Ledger(self.room.catalog, self.room.clock)
        self.origins = Origins(names, self.room.catalog, ledger, load_rules)

    # -- looking -----------------------------------------------------------------------------

    async def images(
        self, pattern: str | None = None, after: str | None = None, limit: int = PAGE
    ) -> tuple[ImageRecord, ...]:
        """List images as `Inventory.images` does; `pattern` is what people write."""
        await self.room.catalog.flush()
        glob = image_glob(pattern, self.names) if pattern else None
        return await self.inventory.images(glob, after, limit)

    async def search(
        self, text: str, after: str | None = None, limit: int = PAGE
    ) -> tuple[ImageRecord, ...]:
        """List images whose names have `text` in them, as `images` does."""
        await self.room.catalog.flush()
        return await self.inventory.images(search_glob(text, self.names), after, limit)

    async def image(self, text: str) -> ImageRecord:
        """Find one image; NotHere, or NameInvalid and the like."""
        name = image_name(text, self.names)
        record = await self.inventory.image(name)
        if record is None:
            raise NotHere(f"{name} is not here{instead(await self.origins.meant(name))}")
        return record

    async def begun(self) -> Mapping[Digest, int]:
        """Tell of blobs that are not whole how much is here: in progress, or broken off."""
        accounts = self.room.accounts
        await accounts.look_at_partials()
        return accounts.left | {digest: tell()[1] for digest, tell in accounts.flights.items()}

    async def status(self) -> Status:
        """Tell how things are now."""
        accounts = self.room.accounts
        await accounts.look_at_partials()
        left = accounts.left
        return Status(
            held=await self.room.catalog.totals(),
            limits=self.room.limits,
            unfinished=Amount(len(left), sum(left.values())),
            incomplete=self.room.catalog.incomplete,
            offline=self.outbound.offline if self.outbound is not None else None,
            fills=len(self.fills) if self.fills is not None else None,
            scrub=await self.scrub_status(),
        )

    async def scrub_status(self) -> ScrubStatus:
        """Tell how far the scrub is, and when it last was at the end."""
        await self.upkeep.scrub.due_in(self.upkeep.rules.scrub_every_s)
        return self.upkeep.scrub.status

    # -- taking out --------------------------------------------------------------------------

    async def remove(self, text: str) -> Removal:
        """Remove a tag, and its image with it when no other name leads there.

        By digest the image goes with all its tags. Raises as `image` does.
        """
        record = await self.image(text)
        [candidate] = await read_candidates(self.room.catalog, [Root(str(record.digest), 0.0)])
        name = (record.registry, record.repository, record.reference[1:])
        others = [other for other in candidate.names if other != name]
        if record.reference.startswith(":") and others:
            key = (record.registry, RepositoryName(record.repository), Tag(name[2]))
            await self.room.catalog.delete_tag(key)
            return Removal(
                record.name,
                record.digest,
                names=(record.name,),
                remaining=tuple(_titles(others)),
                shared=_amount(_sizes(candidate)),
            )
        sizes = _sizes(candidate)
        gone = await self._take_out.images([record.digest], sizes)
        left = {digest: size for digest, size in sizes.items() if digest not in gone.blobs}
        in_use = {digest: size for digest, size in left.items() if digest in gone.spared}
        return Removal(
            record.name,
            record.digest,
            names=tuple(_titles(gone.tags)),
            listed=bool(sizes) and record.digest not in gone.manifests,
            freed=Amount(len(gone.blobs), gone.bytes),
            shared=_amount({d: size for d, size in left.items() if d not in in_use}),
            in_use=_amount(in_use),
        )

    async def gc(self) -> Collected:
        """Let go of all that belongs to no image, and of as much as the limits want."""
        dropped = await self.room.store.drop_partials(self.room.clock() - PARTIAL_GRACE_S)
        report = await self.upkeep.swept(grace_s=0.0)
        evicted = await self.room.evict_now()
        await self.room.accounts.look_at_partials()
        await self.room.accounts.recount()
        held = await self.room.catalog.totals()
        return Collected(
            sweep=report,
            evicted=evicted.images,
            partials=len(dropped) + report.partials + evicted.partials,
            freed_bytes=report.orphan_bytes + evicted.bytes + sum(one.written for one in dropped),
            held=held,
        )

    # -- checking ----------------------------------------------------------------------------

    async def to_verify(self, text: str | None = None) -> Totals:
        """Tell how much `verify` has before it; raises as `image` does."""
        if text is None:
            return await self.room.catalog.totals()
        sizes = await self._parts(text)
        return Totals(len(sizes), sum(sizes.values()))

    async def verify(self, text: str | None = None) -> AsyncIterator[Checked]:
        """Hash every blob of one image again, or of all; rotten ones go to quarantine."""
        if text is None:
            async for digest, size in held_blobs(self.room.catalog):
                yield await self._checked(digest, size)
        else:
            for digest, size in (await self._parts(text)).items():
                yield await self._checked(digest, size)

    async def _parts(self, text: str) -> Mapping[Digest, int]:
        record = await self.image(text)
        [candidate] = await read_candidates(self.room.catalog, [Root(str(record.digest), 0.0)])
        return _sizes(candidate)

    async def _checked(self, digest: Digest, size: int) -> Checked:
        verdict = await self.upkeep.scrub.check(digest)
        names: Sequence[str] = ()
        if verdict is not Verdict.SOUND:
            names = await images_with(self.room.catalog, digest)
        return Checked(digest, size, verdict, tuple(names))

    # -- keeping -----------------------------------------------------------------------------

    async def keeps(self) -> Kept:
        """Tell what is never evicted."""
        return Kept(self.rules, tuple(await list_keeps(self.room.catalog)))

    async def keep(self, text: str) -> str:
        """Never evict what matches; as it was understood. NameInvalid when it is no pattern."""
        pattern = keep_pattern(text, self.names)
        try:
            parsed = ImagePattern.parse(pattern)
        except (ValueError, DigestInvalid) as error:
            meant = await self._meant_to_keep(text)
            raise NameInvalid(f"{text[:300]!r}: {error}{meant}") from error
        await add_keep(self.room.catalog, str(parsed), self.room.clock())
        return str(parsed)

    async def _meant_to_keep(self, text: str) -> str:
        try:
            return instead(await self.origins.meant(text))
        except RequestError:  # no name of an image
            return ""

    async def unkeep(self, text: str) -> str:
        """Keep it no more; NotHere when it is not kept by exactly this pattern."""
        for pattern in dict.fromkeys((keep_pattern(text, self.names), text)):
            if await remove_keep(self.room.catalog, pattern):
                return pattern
        where = " by what was told at run time: that one is in the settings"
        known = where if text in self.rules else ""
        raise NotHere(f"{text[:300]!r} is not kept{known}")


def _sizes(candidate: Candidate) -> dict[Digest, int]:
    """The blobs that are here; what is empty has 0 bytes in the catalog as what is missing has."""
    return {Digest.parse(part.digest): part.size for part in candidate.parts.values() if part.size}


def _amount(sizes: Mapping[Digest, int]) -> Amount:
    return Amount(len(sizes), sum(sizes.values()))


def _titles(names: Sequence[tuple[str, str, str]]) -> list[str]:
    return [f"{registry}/{repository}:{tag}" for registry, repository, tag in names]
