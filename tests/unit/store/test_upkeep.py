"""What is done in the background, and when."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from entrepot.store.notes import SWEPT, time_note
from entrepot.store.upkeep import UpkeepRules
from fakes.images import image
from unit.store.keeping import Keeping, keeping, rot

IMAGE = image(1)
NO_SCRUB = UpkeepRules(scrub_rate=None)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.005)


def swept(kept: Keeping) -> bool:
    return b"entrepot_sweep_timestamp_seconds 0.0" not in kept.metrics.render()


async def test_a_new_cache_is_swept_and_nobody_told_of_a_loss(tmp_path: Path) -> None:
    with capture_logs() as logs:
        async with keeping(tmp_path, NO_SCRUB) as kept:
            kept.upkeep.start()
            await until(lambda: swept(kept))
            assert not kept.catalog.incomplete
    assert [line["event"] for line in logs if line["event"] != "sweep.done"] == []


async def test_after_a_good_end_there_is_no_sweep_for_a_week(tmp_path: Path) -> None:
    async with keeping(tmp_path, NO_SCRUB) as kept:
        await kept.upkeep.swept()
    async with keeping(tmp_path) as kept:
        kept.upkeep.start()
        await until(lambda: kept.upkeep.scrub.status.round_ended_at)
        assert not swept(kept)
    async with keeping(tmp_path, NO_SCRUB) as kept:
        kept.clock.now += 7 * 86400
        kept.upkeep.start()
        await until(lambda: swept(kept))
        assert await time_note(kept.catalog, SWEPT) == kept.clock()


async def test_after_a_bad_end_there_is_one_at_once(tmp_path: Path) -> None:
    async with keeping(tmp_path, NO_SCRUB) as kept:
        await kept.upkeep.swept()
    (tmp_path / "clean").unlink()
    async with keeping(tmp_path, NO_SCRUB) as kept:
        digest = await kept.put_file(b"layer", kept.clock())
        kept.upkeep.start()
        await until(lambda: swept(kept))
        assert await kept.digests() == {digest}


@pytest.mark.parametrize("how", ["deleted", "garbage"])
async def test_a_lost_catalog_is_rebuilt_at_the_start_and_told(tmp_path: Path, how: str) -> None:
    async with keeping(tmp_path, NO_SCRUB) as kept:
        await kept.put_image("3.1", image=IMAGE)
        await kept.upkeep.swept()
    if how == "deleted":
        (tmp_path / "catalog.db").unlink()
    else:
        (tmp_path / "catalog.db").write_bytes(b"garbage " * 1000)
    with capture_logs() as logs:
        async with keeping(tmp_path, NO_SCRUB) as kept:
            kept.upkeep.start()
            await until(lambda: swept(kept))
            assert await kept.digests("manifests") == {IMAGE.digest}
            assert len(await kept.digests()) == 3
    told = {line["event"]: line for line in logs}
    assert told["catalog.rebuilding"]["log_level"] == "error"
    rebuilt = told["catalog.rebuilt"]
    assert (rebuilt["files"], rebuilt["adopted"], rebuilt["manifests"]) == (3, 3, 1)


async def test_a_catalog_that_breaks_while_running_is_rebuilt(tmp_path: Path) -> None:
    async with keeping(tmp_path, NO_SCRUB) as kept:
        await kept.put_image("3.1", image=IMAGE)
        kept.upkeep.start()
        await until(lambda: swept(kept))
        path = tmp_path / "catalog.db"
        await asyncio.to_thread(path.with_name("catalog.db-wal").write_bytes, b"garbage" * 10_000)
        await asyncio.to_thread(path.write_bytes, b"garbage " * 10_000)
        async with asyncio.timeout(20):
            while len(await kept.digests()) < 3 or kept.catalog.incomplete:
                await asyncio.sleep(0.01)
        assert kept.catalog.replaced
        assert await kept.digests("manifests") == {IMAGE.digest}


async def test_the_scrub_begins_by_itself(tmp_path: Path) -> None:
    async with keeping(tmp_path) as kept:
        digest = await kept.put_blob(b"a layer")
        rot(kept.path(digest))
        kept.upkeep.start()
        await until(lambda: kept.forgotten == [digest])


async def test_a_suspect_is_checked_soon_and_once(tmp_path: Path) -> None:
    async with keeping(tmp_path) as kept:
        digest = await kept.put_blob(b"a layer")
        rot(kept.path(digest))
        for _ in range(3):
            kept.upkeep.suspect(digest)
        await until(lambda: kept.forgotten == [digest])
        assert kept.upkeep.scrub.status.blobs == 1


async def test_a_failing_catalog_is_tried_again_later(tmp_path: Path) -> None:
    with capture_logs() as logs:
        async with keeping(tmp_path) as kept:
            await kept.catalog.aclose()
            kept.upkeep.suspect(await kept.put_file(b"x"))
            kept.upkeep.start()
            events = {"sweep.broken_off", "scrub.broken_off", "scrub.failed"}
            await until(lambda: events <= {line["event"] for line in logs})
