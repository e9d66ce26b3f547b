"""Where things came from, by what the catalog, the ledger and the pins say."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from entrepot.errors import NameInvalid, NotHere
from entrepot.mirror.ledger import Ledger
from entrepot.mirror.names import NameTable
from entrepot.mirror.origins import Given, Origins, demoted_until
from entrepot.mirror.rules import Rules
from entrepot.oci.digest import Digest
from entrepot.oci.reference import Tag
from entrepot.store.record import TagRecord
from entrepot.trust.ledger import LedgerRecord, Verdict
from entrepot.trust.level import Level
from entrepot.trust.pinfile import read_pin_file
from entrepot.trust.pins import combine
from fakes.images import image
from unit.store.keeping import PAUSE, REGISTRY, Keeping, keeping

ONE = image("one")
BAD = Digest.of(b"bad")
NAME = f"{REGISTRY}/pause:1"
T = 1_799_990_000.0
"""Some hours before WallClock's now."""


def said(mirror: str, verdict: Verdict, at: float = T, **more: object) -> LedgerRecord:
    record = LedgerRecord(
        at=at,
        registry=REGISTRY,
        repository=PAUSE,
        reference=Tag("1"),
        mirror=mirror,
        received=ONE.digest,
        verdict=verdict,
        digest=ONE.digest,
        level=Level.FIRST,
    )
    return replace(record, **more)  # type: ignore[arg-type]


@dataclass(slots=True)
class Site:
    """ONE as 1 and again, a ledger, and pins that a test may set."""

    own: Keeping
    ledger: Ledger
    origins: Origins

    def pin(self, digest: Digest, tag: str = "1") -> None:
        lines = ["schema: 1\n", "pins:\n", f"  {REGISTRY}/pause:{tag}: {digest}\n"]
        rules = Rules(combine([read_pin_file("pins.yaml", lines)]))
        self.origins.load_rules = lambda: rules


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with keeping(tmp_path) as own:
        await own.put_image("1", "again", image=ONE)
        ledger = Ledger(own.catalog, own.clock)
        names = NameTable({REGISTRY: ["short"]})
        yield Site(own, ledger, Origins(names, own.catalog, ledger))
        ledger.aclose()


async def test_all_there_is_about_an_image(site: Site) -> None:
    lie = said("liar", Verdict.REFUSED, site.own.clock.now, received=BAD)
    site.ledger.note([said("first", Verdict.ACCEPTED), lie])
    origin = await site.origins.why("short/pause:1")
    assert (origin.name, origin.digest, origin.level) == (NAME, ONE.digest, Level.FIRST)
    assert origin.names == (f"{REGISTRY}/pause:again",)
    total = len(ONE.manifest) + sum(map(len, ONE.blobs))
    assert origin.given == (Given("first", 3, total),)
    assert [one.mirror for one in origin.records] == ["first", "liar"]
    assert origin.demoted == ("liar",)
    assert demoted_until(origin) == {"liar": site.own.clock.now + 3600.0}
    assert origin.manifest is not None
    assert origin.manifest.mirror == "first"


async def test_wrong_bytes_for_a_part_belong_to_the_story(site: Site) -> None:
    layer = Digest.of(ONE.layers[0])
    lies = [
        said("liar", Verdict.REFUSED, reference=digest, received=None, digest=None, level=None)
        for digest in (layer, BAD)
    ]
    site.ledger.note(lies)
    assert (await site.origins.why(NAME)).records == (lies[0],)


async def test_a_pin_raises_the_level_or_forbids_what_is_here(site: Site) -> None:
    site.pin(ONE.digest)
    origin = await site.origins.why(NAME)
    assert (origin.level, origin.pin and origin.pin.where) == (Level.PIN, "pins.yaml:3")
    other = await site.origins.why(f"{REGISTRY}/pause:again")
    assert (other.level, other.pin) == (Level.FIRST, None)


async def test_a_pin_that_says_something_else_is_told_with_what_is_here(site: Site) -> None:
    site.pin(BAD)
    origin = await site.origins.why(NAME)
    assert (origin.level, origin.digest) == (Level.FIRST, ONE.digest)
    assert origin.pin is not None
    assert not origin.pin.allows(ONE.digest)


async def test_by_digest(site: Site) -> None:
    origin = await site.origins.why(f"{REGISTRY}/pause@{ONE.digest}")
    assert (origin.digest, origin.level) == (ONE.digest, Level.DIGEST)
    assert origin.names == (NAME, f"{REGISTRY}/pause:again")
    with pytest.raises(NotHere):
        await site.origins.why(f"{REGISTRY}/pause@{BAD}")


async def test_what_is_not_here_may_still_be_known(site: Site) -> None:
    with pytest.raises(NotHere, match="nothing is known"):
        await site.origins.why(f"{REGISTRY}/pause:2")
    with pytest.raises(NameInvalid):
        await site.origins.why(f"{REGISTRY}/pause")
    site.ledger.note([said("liar", Verdict.REFUSED, reference=Tag("2"), digest=None, level=None)])
    origin = await site.origins.why(f"{REGISTRY}/pause:2")
    assert (origin.digest, origin.level, len(origin.records)) == (None, None, 1)


async def test_a_pin_alone_is_something_known(site: Site) -> None:
    site.pin(BAD, "2")
    origin = await site.origins.why(f"{REGISTRY}/pause:2")
    assert (origin.digest, origin.records) == (None, ())


async def test_records_and_standings(site: Site) -> None:
    late = said("liar", Verdict.REFUSED, site.own.clock.now)
    site.ledger.note([said("first", Verdict.ACCEPTED), late, replace(late, received=BAD)])
    assert [one.mirror for one in await site.origins.records(mirror="first")] == ["first"]
    assert len(await site.origins.records(image="short/pause:1", since=T + 1.0)) == 2
    assert len(await site.origins.records(limit=1)) == 1
    standings = await site.origins.standings()
    told = [(one.mirror, dict(one.counts), one.demoted) for one in standings]
    assert told == [
        ("liar", {Verdict.REFUSED: 2}, True),
        ("first", {Verdict.ACCEPTED: 1}, False),
    ]


async def test_what_came_from_a_mirror_alone(site: Site) -> None:
    site.ledger.note([said("first", Verdict.ACCEPTED), said("other", Verdict.ACCEPTED, T + 2.0)])
    site.ledger.note([said("first", Verdict.REFUSED, received=BAD)])
    [suspect] = await site.origins.came_from("first")
    assert (suspect.record.image, suspect.held) == (NAME, True)
    assert await site.origins.came_from("first", before=T) == ()
    assert await site.origins.came_from("nobody") == ()
    await site.own.catalog.delete_tag((REGISTRY, PAUSE, Tag("1")))
    [suspect] = await site.origins.came_from("first")
    assert not suspect.held


async def test_what_is_proved_by_now_is_no_suspect(site: Site) -> None:
    by_digest = said("first", Verdict.ACCEPTED, reference=ONE.digest, level=Level.DIGEST)
    site.ledger.note([by_digest])
    assert await site.origins.came_from("first") == ()
    owners = said("owner", Verdict.ACCEPTED, T + 5.0, level=Level.AUTHORITY)
    site.ledger.note([said("first", Verdict.ACCEPTED, T + 2.0), owners])
    assert await site.origins.came_from("first") == ()


async def test_a_level_that_rose_without_a_record_counts_too(site: Site) -> None:
    """That a tag is confirmed is not written into the ledger, but raises its level."""
    site.ledger.note([said("first", Verdict.ACCEPTED)])
    assert len(await site.origins.came_from("first")) == 1
    before = await site.own.catalog.tag(REGISTRY, PAUSE, Tag("1"))
    assert isinstance(before, TagRecord)
    await site.own.catalog.put_tag(replace(before, level=int(Level.AUTHORITY)))
    assert await site.origins.came_from("first") == ()


async def test_what_a_pin_names_by_now_is_no_suspect(site: Site) -> None:
    site.ledger.note([said("first", Verdict.ACCEPTED)])
    site.pin(ONE.digest)
    assert await site.origins.came_from("first") == ()
