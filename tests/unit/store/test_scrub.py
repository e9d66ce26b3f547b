"""What is kept is proved again; what is rotten leaves, and its tags stay."""

from __future__ import annotations

import asyncio
import gc
import os
from pathlib import Path

import pytest

from entrepot.oci.digest import Digest
from entrepot.store.pace import Pace
from entrepot.store.record import BlobRecord
from entrepot.store.scrub import Verdict
from fakes.images import blob, image
from fakes.schema1 import signed_manifest
from unit.store.keeping import OLD, Keeping, files, keeping, rot

IMAGE = image(1, layers=(1000, 9_000_000))


async def rotten(kept: Keeping, data: bytes = b"a layer") -> Digest:
    digest = await kept.put_blob(data)
    rot(kept.path(digest), len(data) // 2)
    return digest


async def test_sound_blobs_stay(tmp_path: Path) -> None:
    async with keeping(tmp_path) as kept:
        await kept.put_image("3.1", image=IMAGE)
        await kept.upkeep.scrubbed()
        status = kept.upkeep.scrub.status
        size = len(IMAGE.manifest) + sum(map(len, IMAGE.blobs))
        assert (status.blobs, status.bytes, status.rotten) == (4, size, 0)
        assert (status.round_began_at, status.round_ended_at) == (kept.clock(), kept.clock())
        assert not status.running
        assert len(files(kept.store.layout.blobs)) == 4


@pytest.mark.parametrize("size", [1, 1000, 5_000_001])
async def test_a_rotten_blob_is_put_away_and_forgotten(tmp_path: Path, size: int) -> None:
    async with keeping(tmp_path) as kept:
        digest = await rotten(kept, blob(size))
        assert await kept.upkeep.scrub.check(digest) is Verdict.ROTTEN
        assert await kept.store.get(digest) is None
        assert await kept.digests() == set()
        assert kept.forgotten == [digest]
        [name] = files(tmp_path / "quarantine" / "sha256")
        assert name == f"{digest.hex}.{int(kept.clock() * 1000)}"
        status = kept.upkeep.scrub.status
        assert (status.rotten, status.last_rotten) == (1, digest)
        assert b"entrepot_scrub_rotten_total 1.0" in kept.metrics.render()


@pytest.mark.parametrize("length", [0, 3, 70])
async def test_another_length_is_rotten(tmp_path: Path, length: int) -> None:
    async with keeping(tmp_path) as kept:
        digest = await kept.put_blob(b"a layer")
        kept.path(digest).chmod(0o600)
        os.truncate(kept.path(digest), length)
        assert await kept.upkeep.scrub.check(digest) is Verdict.ROTTEN


async def test_a_rotten_manifest_leaves_its_tags(tmp_path: Path) -> None:
    async with keeping(tmp_path) as kept:
        digest = await kept.put_image("3.1", image=IMAGE)
        rot(kept.path(digest))
        await kept.upkeep.scrubbed()
        assert await kept.catalog.manifest(digest) is None
        assert await kept.tags() == ["3.1"]
        assert kept.forgotten == [digest]
        assert len(await kept.digests()) == 3


async def test_a_signed_schema1_manifest_is_proved_its_own_way(tmp_path: Path) -> None:
    signed = signed_manifest("library/pause", "1.0")
    async with keeping(tmp_path) as kept:
        await kept.store.put(signed.digest, signed.manifest)
        assert await kept.upkeep.scrub.check(signed.digest) is Verdict.SOUND


async def test_who_reads_it_at_that_moment_reads_on(tmp_path: Path) -> None:
    async with keeping(tmp_path) as kept:
        digest = await rotten(kept, blob(1000))
        with await kept.store.get(digest) or pytest.fail("not here") as opened:
            await kept.upkeep.scrub.check(digest)
            assert len(await asyncio.to_thread(opened.file.read)) == 1000


async def test_what_is_not_there_is_gone(tmp_path: Path) -> None:
    async with keeping(tmp_path) as kept:
        assert await kept.upkeep.scrub.check(Digest.of(b"never")) is Verdict.GONE


async def test_a_file_that_may_not_be_read_is_left_alone(tmp_path: Path) -> None:
    async with keeping(tmp_path) as kept:
        digest = await kept.put_blob(b"a layer")
        kept.path(digest).unlink()
        kept.path(digest).mkdir()  # root may read everything else
        assert await kept.upkeep.scrub.check(digest) is Verdict.UNKNOWN
        assert kept.forgotten == []


async def test_a_wrong_size_in_the_catalog_is_put_right(tmp_path: Path) -> None:
    async with keeping(tmp_path) as kept:
        digest = await kept.put_blob(b"a layer")
        await kept.catalog.put_blob(BlobRecord(digest, 999, OLD, OLD))
        assert await kept.upkeep.scrub.check(digest) is Verdict.SOUND
        assert (await kept.catalog.totals()).bytes == 7


async def test_a_round_goes_on_where_the_last_process_was(tmp_path: Path) -> None:
    async with keeping(tmp_path) as kept:
        for number in range(205):
            await kept.put_blob(b"%d" % number)
        scrub = kept.upkeep.scrub
        task = asyncio.get_running_loop().create_task(scrub.run(Pace(400_000_000.0)))
        async with asyncio.timeout(30):
            while scrub.status.blobs < 201:
                await asyncio.sleep(0.001)
        task.cancel()
        await asyncio.wait([task])
        assert await scrub.due_in(1000.0) == 0.0
        began_at = scrub.status.round_began_at
    async with keeping(tmp_path) as kept:
        kept.clock.now += 50
        await kept.upkeep.scrubbed()
        status = kept.upkeep.scrub.status
        assert status.blobs == 5
        assert (status.round_began_at, status.round_ended_at) == (began_at, kept.clock())


async def test_a_check_that_is_cancelled_anywhere_leaves_no_file_open(tmp_path: Path) -> None:
    """Whoever has left a descriptor fails the test that left it."""
    async with keeping(tmp_path) as kept:
        digest = await kept.put_blob(b"a layer")
        for turns in range(40):
            task = asyncio.get_running_loop().create_task(kept.upkeep.scrub.check(digest))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
        gc.collect()


async def test_a_round_over_nothing_has_hashed_nothing(tmp_path: Path) -> None:
    async with keeping(tmp_path) as kept:
        await kept.upkeep.scrubbed()
        empty = kept.upkeep.scrub.status
        assert (empty.round_ended_at, empty.kept_hashed_at) == (kept.clock(), None)
        await kept.put_image("3.1", image=IMAGE)
        await kept.upkeep.scrubbed()
        hashed_at = kept.clock()
        assert kept.upkeep.scrub.status.kept_hashed_at == hashed_at
    async with keeping(tmp_path) as kept:
        await kept.upkeep.scrub.due_in(1000.0)
        assert kept.upkeep.scrub.status.kept_hashed_at == hashed_at


async def test_when_the_next_round_is_due(tmp_path: Path) -> None:
    async with keeping(tmp_path) as kept:
        assert await kept.upkeep.scrub.due_in(1000.0) == 0.0
        await kept.upkeep.scrubbed()
        kept.clock.now += 300
        assert await kept.upkeep.scrub.due_in(1000.0) == 700.0
        kept.clock.now += 900
        assert await kept.upkeep.scrub.due_in(1000.0) == 0.0
        kept.clock.now -= 1_000_000
        assert await kept.upkeep.scrub.due_in(1000.0) == 1000.0
    async with keeping(tmp_path) as kept:
        kept.clock.now += 300
        assert await kept.upkeep.scrub.due_in(1000.0) == 700.0
        assert kept.upkeep.scrub.status.round_ended_at == kept.clock() - 300
