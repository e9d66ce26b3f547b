"""Files and catalog are brought to agree, whatever happens meanwhile."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from entrepot.oci.digest import Digest
from entrepot.store.record import BlobRecord
from entrepot.store.sweep import SweepReport
from entrepot.store.threads import DiskThreads
from entrepot.store.walk import Found
from fakes.images import image, index
from unit.store.keeping import OLD, Keeping, files, keeping, rot

T = TypeVar("T")

IMAGE = image(1, layers=(1000, 2000))


class Losing(DiskThreads):
    """Threads in which a file is looked at, and then somebody removes it."""

    def __init__(self, path: Path) -> None:
        super().__init__("losing", 1)
        self._path = path

    async def run(self, work: Callable[[], T], *, undo: Callable[[T], None] | None = None) -> T:
        result = await super().run(work, undo=undo)
        await super().run(lambda: self._path.unlink(missing_ok=True))
        return result


async def agree(kept: Keeping) -> None:
    """Every file has its row with the right size, every row its file."""
    found = {path.name: path.stat().st_size for path in kept.store.layout.blobs.rglob("*/*/*")}
    rows = await kept.table("blobs", "digest", "size")
    assert {(f"sha256:{name}", size) for name, size in found.items()} == rows
    totals = await kept.catalog.totals()
    assert (totals.blobs, totals.bytes) == (len(found), sum(found.values()))


async def test_a_cache_in_order_stays_as_it_is(tmp_path: Path) -> None:
    async with keeping(tmp_path) as kept:
        await kept.put_image("3.1", image=index([IMAGE]))
        report = await kept.upkeep.sweep.run(grace_s=0)
        assert report.counts() == {"files": 5}
        assert await kept.tags() == ["3.1"]
        await agree(kept)


async def test_a_lost_catalog_is_rebuilt_from_the_files(tmp_path: Path) -> None:
    listing = index([IMAGE, image(2, platform="linux/arm64/v8")])
    async with keeping(tmp_path) as kept:
        await kept.put_image("3.1", image=listing)
        links = await kept.table("links", "manifest", "child", "media_type", "size", "platform")
    (tmp_path / "catalog.db").unlink()
    async with keeping(tmp_path) as kept:
        incomplete = [kept.catalog.incomplete]
        report = await kept.upkeep.sweep.run()
        incomplete.append(kept.catalog.incomplete)
        assert incomplete == [True, False]
        assert report.counts() == {"files": 8, "adopted": 8, "manifests": 3}
        assert links == await kept.table(
            "links", "manifest", "child", "media_type", "size", "platform"
        )
        assert await kept.digests("manifests") == {
            listing.digest,
            *(one.digest for one in listing.images),
        }
        await agree(kept)


async def test_rows_without_a_file_go_and_tags_of_nothing(tmp_path: Path) -> None:
    async with keeping(tmp_path) as kept:
        await kept.put_image("3.1", image=IMAGE)
        kept.path(IMAGE.digest).unlink()
        report = await kept.upkeep.sweep.run()
        assert (report.lost, report.tags) == (1, 1)
        assert await kept.tags() == []
        assert await kept.table("links", "manifest") == set()
        await agree(kept)


async def test_orphans_go_after_a_grace_or_at_once(tmp_path: Path) -> None:
    async with keeping(tmp_path) as kept:
        await kept.upkeep.sweep.run()
        await kept.put_image("3.1", image=IMAGE)
        await kept.put_blob(b"old")
        young = await kept.put_blob(b"young!", kept.clock() - 60)
        report = await kept.upkeep.sweep.run()
        assert (report.orphans, report.orphan_bytes) == (1, 3)
        assert kept.path(young).exists()
        report = await kept.upkeep.sweep.run(grace_s=0)
        assert (report.orphans, report.orphan_bytes) == (1, 6)
        await agree(kept)


async def test_a_rebuild_throws_nothing_away(tmp_path: Path) -> None:
    async with keeping(tmp_path) as kept:
        digest = await kept.put_file(b"layer of an unknown image")
        assert (await kept.upkeep.sweep.run()).orphans == 0
        assert (await kept.upkeep.sweep.run()).orphans == 1
        assert not kept.path(digest).exists()


async def test_what_does_not_belong_goes_to_quarantine(tmp_path: Path) -> None:
    async with keeping(tmp_path) as kept:
        digest = await kept.put_image("3.1", image=IMAGE)
        blobs, partials = kept.store.layout.blobs, kept.store.layout.partials
        (blobs / "stray").write_bytes(b"")
        (kept.path(digest).parent / "name").write_bytes(b"")
        (partials / "md5").mkdir()
        (partials / "sha256" / "name").mkdir(parents=True)
        report = await kept.upkeep.sweep.run()
        assert report.odd == 4
        moved = [path.name.partition(".")[0] for path in (tmp_path / "quarantine/odd").iterdir()]
        assert sorted(moved) == ["md5", "name", "name", "stray"]
        await agree(kept)


async def test_a_file_of_another_length_is_looked_at(tmp_path: Path) -> None:
    async with keeping(tmp_path) as kept:
        cut, sound = await kept.put_blob(b"cut short"), await kept.put_blob(b"sound")
        kept.path(cut).chmod(0o600)
        os.truncate(kept.path(cut), 3)
        await kept.catalog.put_blob(BlobRecord(sound, 77, OLD, OLD))
        report = await kept.upkeep.sweep.run()
        assert report.resized == 2
        assert kept.forgotten == [cut]
        assert not kept.path(cut).exists()
        await agree(kept)


async def test_downloads_of_which_there_is_nothing_are_nobodys(tmp_path: Path) -> None:
    async with keeping(tmp_path) as kept:
        whole = await kept.put_blob(b"whole", kept.clock())
        begun, empty = Digest.of(b"begun"), Digest.of(b"empty")
        for digest, data in ((whole, b"who"), (begun, b"beg"), (empty, b"")):
            partial = await kept.store.begin(digest)
            await partial.write(0, data)
            await partial.aclose()
        busy = await kept.store.begin(Digest.of(b"busy"))
        assert (await kept.upkeep.sweep.run()).partials == 2
        assert [info.digest for info in await kept.store.partials()] == [begun]
        await busy.aclose()


async def test_a_file_that_comes_back_while_it_is_forgotten_is_entered_again(
    tmp_path: Path,
) -> None:
    async with keeping(tmp_path) as kept:
        digest = await kept.put_image(image=IMAGE)
        report = SweepReport()
        await kept.upkeep.sweep.forget([digest], report)  # its file is there
        assert digest in await kept.digests("manifests")
        await agree(kept)


async def test_a_file_that_goes_while_it_is_entered_is_forgotten_again(tmp_path: Path) -> None:
    async with keeping(tmp_path) as kept:
        sweep = kept.upkeep.sweep
        digest = await kept.put_file(b"going")
        sweep.threads = Losing(kept.path(digest))
        report = SweepReport()
        await sweep.adopt([Found(digest, 5, OLD)], report)
        assert report.adopted == 0
        await agree(kept)
        await sweep.threads.aclose()


async def test_what_is_being_removed_is_not_entered(tmp_path: Path) -> None:
    async with keeping(tmp_path) as kept:
        digest = await kept.put_file(b"leaving")
        with kept.store.removals.of([digest]):
            await kept.upkeep.sweep.run()
        assert await kept.digests() == set()


@pytest.mark.rule("P10")
async def test_what_cannot_be_removed_is_found_again(tmp_path: Path) -> None:
    async with keeping(tmp_path) as kept:
        await kept.upkeep.sweep.run()
        digest = await kept.put_blob(b"old")
        path = kept.path(digest)
        path.unlink()
        path.mkdir()  # which no unlink removes
        report = await kept.upkeep.sweep.run(grace_s=0)
        assert report.odd == 1
        await agree(kept)
        assert files(kept.store.layout.blobs) == []


async def test_a_rotten_manifest_is_no_manifest(tmp_path: Path) -> None:
    async with keeping(tmp_path) as kept:
        await kept.put_image(image=IMAGE)
        rot(kept.path(IMAGE.digest), 40)
    (tmp_path / "catalog.db").unlink()
    async with keeping(tmp_path) as kept:
        report = await kept.upkeep.sweep.run()
        assert (report.adopted, report.manifests) == (4, 0)
        await agree(kept)
