"""What an operator asks of a cache that no server uses."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from entrepot.errors import NameInvalid, NotHere
from entrepot.mirror.library import Library
from entrepot.mirror.names import NameTable
from entrepot.mirror.room import Room
from entrepot.mirror.watermarks import Limits
from entrepot.oci.digest import Digest
from entrepot.store.scrub import Verdict
from fakes.images import image
from unit.store.keeping import REGISTRY, Keeping, keeping, rot

APP = f"{REGISTRY}/pause"
ONE, TWO = image("one", layers=(5000, 600)), image("two", layers=(7000,))
RULE = f"{REGISTRY}/base"


@asynccontextmanager
async def shelf(path: Path, limits: Limits | None = None) -> AsyncIterator[tuple[Keeping, Library]]:
    """A cache with ONE as 1 and 1.0, and TWO."""
    async with keeping(path) as own:
        await own.put_image("1", "1.0", image=ONE)
        await own.put_image("2", image=TWO)
        room = Room(own.store, own.catalog, own.clock, own.metrics.cache, limits or Limits())
        try:
            await room.accounts.recount()
            yield own, Library(NameTable({REGISTRY: ["short"]}), room, own.upkeep, (RULE,))
        finally:
            await room.aclose()


async def test_images_are_found_by_what_people_write(tmp_path: Path) -> None:
    async with shelf(tmp_path) as (_, library):
        names = [one.name for one in await library.images()]
        assert names == [f"{APP}:1", f"{APP}:1.0", f"{APP}:2"]
        assert [one.name for one in await library.images("short/pause:1*")] == names[:2]
        assert [one.name for one in await library.images(after=names[0], limit=1)] == names[1:2]
        assert (await library.image("short/pause:2")).completeness.complete
        with pytest.raises(NotHere, match=f"{APP}:3 is not here"):
            await library.image("short/pause:3")


async def test_a_tag_goes_alone_and_the_last_one_takes_the_image_along(tmp_path: Path) -> None:
    async with shelf(tmp_path) as (own, library):
        first = await library.remove("short/pause:1")
        assert (first.names, first.remaining) == ((f"{APP}:1",), (f"{APP}:1.0",))
        assert (first.freed.blobs, first.shared.blobs) == (0, 4)
        assert own.path(ONE.digest).exists()
        last = await library.remove("short/pause:1.0")
        assert (last.names, last.remaining) == ((f"{APP}:1.0",), ())
        assert (last.freed.blobs, last.freed.bytes) == (4, first.shared.bytes)
        assert not own.path(ONE.digest).exists()
        assert await own.tags() == ["2"]


async def test_what_somebody_reads_is_found_by_the_next_gc(tmp_path: Path) -> None:
    layer = Digest.of(TWO.layers[0])
    async with shelf(tmp_path) as (own, library):
        lease = library.room.leases.take(layer)
        removal = await library.remove(f"{APP}:2")
        assert (removal.in_use.blobs, removal.in_use.bytes) == (1, 7000)
        assert (await library.gc()).sweep.orphans == 0
        assert own.path(layer).exists()
        lease.release()
        collected = await library.gc()
        assert (collected.sweep.orphans, collected.freed_bytes) == (1, 7000)
        assert not own.path(layer).exists()
        assert collected.held == await own.catalog.totals()


async def test_verify_names_the_images_of_what_is_rotten(tmp_path: Path) -> None:
    layer = Digest.of(ONE.layers[1])
    async with shelf(tmp_path) as (own, library):
        rot(own.path(layer))
        assert (await library.to_verify()).blobs == 7
        assert (await library.to_verify(f"{APP}:2")).blobs == 3
        sound = [one.verdict async for one in library.verify(f"{APP}:2")]
        assert sound == [Verdict.SOUND] * 3
        bad = [one async for one in library.verify() if one.verdict is not Verdict.SOUND]
        assert [(one.digest, one.size, one.verdict) for one in bad] == [
            (layer, 600, Verdict.ROTTEN)
        ]
        assert bad[0].images == (f"{APP}:1", f"{APP}:1.0")
        assert not own.path(layer).exists()


async def test_what_is_kept_is_told_apart_from_the_settings(tmp_path: Path) -> None:
    async with shelf(tmp_path) as (_, library):
        assert await library.keep("short/pause:1*") == f"{APP}:1*"
        kept = await library.keeps()
        assert (kept.settings, kept.told) == ((RULE,), (f"{APP}:1*",))
        with pytest.raises(NameInvalid):
            await library.keep("no pattern at all")
        with pytest.raises(NotHere, match="in the settings"):
            await library.unkeep(RULE)
        assert await library.unkeep("short/pause:1*") == f"{APP}:1*"
        with pytest.raises(NotHere, match=r"is not kept$"):
            await library.unkeep("short/pause:1*")


async def test_gc_keeps_to_the_limit_and_spares_what_is_kept(tmp_path: Path) -> None:
    async with shelf(tmp_path, Limits(11_000)) as (own, library):
        await library.keep(f"{APP}:1")
        collected = await library.gc()
        assert collected.evicted == 1
        assert await own.tags() == ["1", "1.0"]
        status = await library.status()
        assert (status.offline, status.fills, status.held) == (None, None, collected.held)
        assert status.limits.max_size == 11_000
