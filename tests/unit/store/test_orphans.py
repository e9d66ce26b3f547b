"""What leads nowhere goes, and only that."""

from __future__ import annotations

from pathlib import Path

import pytest

from entrepot.oci.digest import Digest
from entrepot.oci.manifest import Manifest
from entrepot.oci.mediatype import OCI_MANIFEST
from entrepot.store.orphans import (
    BATCH,
    drop_dangling_manifests,
    drop_dangling_tags,
    drop_orphans,
    orphans,
)
from entrepot.store.record import BlobRecord, Child, ManifestRecord
from fakes.images import image
from unit.store.keeping import OLD, PAUSE, REGISTRY, Keeping, keeping

GONE = Manifest(Digest.of(b"gone"), OCI_MANIFEST, b"gone")


async def found(kept: Keeping, unused_since: float) -> set[Digest]:
    return {each async for some in orphans(kept.catalog, unused_since) for each in some}


async def test_tags_that_lead_to_nothing_leave_memory_too(tmp_path: Path) -> None:
    async with keeping(tmp_path) as kept:
        await kept.put_image("3.1", "3.2", image=image(1))
        dangling = [kept.tag(name, GONE.digest, GONE) for name in ("3.3", "3.4", "3.5")]
        for tag in dangling:
            await kept.catalog.put_tag(tag)
        assert await drop_dangling_tags(kept.catalog) == 3
        assert await kept.tags() == ["3.1", "3.2"]
        assert [kept.catalog.peek_tag(REGISTRY, PAUSE, one.tag) for one in dangling] == [None] * 3
        assert await drop_dangling_tags(kept.catalog) == 0


async def test_manifests_without_a_file_and_links_of_none(tmp_path: Path) -> None:
    async with keeping(tmp_path) as kept:
        digest = await kept.put_image(image=image(1))
        record = ManifestRecord(GONE.digest, OCI_MANIFEST, 4, "m")
        await kept.catalog.put_manifest(record, [Child(Digest.of(b"c"), "layer", 1)])
        await kept.catalog.remove_blobs([GONE.digest])
        assert await drop_dangling_manifests(kept.catalog) == 1
        assert {row[0] for row in await kept.table("links", "manifest")} == {str(digest)}
        assert await kept.digests("manifests") == {digest}


@pytest.mark.rule("P9")
async def test_orphans_are_old_unlisted_and_no_manifests(tmp_path: Path) -> None:
    async with keeping(tmp_path) as kept:
        await kept.put_image(image=image(1))
        old, used = await kept.put_blob(b"old"), await kept.put_blob(b"used")
        young = await kept.put_blob(b"young", kept.clock())
        kept.catalog.use_blob(used, kept.clock())
        assert await found(kept, OLD - 1) == set()
        assert await found(kept, kept.clock() - 3600) == {old}
        assert await found(kept, kept.clock()) == {old, used, young}


async def test_what_is_wanted_again_meanwhile_stays(tmp_path: Path) -> None:
    async with keeping(tmp_path) as kept:
        old, listed = await kept.put_blob(b"old"), await kept.put_blob(b"listed")
        older = await kept.put_blob(b"older")
        assert await found(kept, OLD) == {old, older, listed}
        record = ManifestRecord(GONE.digest, OCI_MANIFEST, 4, "m")
        await kept.catalog.put_manifest(record, [Child(listed, "layer", 6)])
        dropped = await drop_orphans(kept.catalog, [old, listed, older], OLD)
        assert dropped == [(old, 3), (older, 5)]
        assert await kept.digests() == {listed, GONE.digest}


async def test_many_orphans_come_in_batches(tmp_path: Path) -> None:
    async with keeping(tmp_path) as kept:
        for number in range(BATCH + 1):
            digest = Digest.of(b"%d" % number)
            await kept.catalog.put_blob(BlobRecord(digest, 1, 1.0, 1.0))
        assert [len(some) async for some in orphans(kept.catalog, 1.0)] == [BATCH, 1]
