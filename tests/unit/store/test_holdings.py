"""Everything that is held, and which images something belongs to."""

from __future__ import annotations

import asyncio
from pathlib import Path

from entrepot.oci.digest import Digest
from entrepot.store.holdings import held_blobs, images_with
from entrepot.store.record import BlobRecord
from fakes.images import image, index
from unit.store.keeping import REGISTRY, keeping


async def test_every_blob_is_told_once_over_the_pages(tmp_path: Path) -> None:
    wanted = {Digest.of(b"%d" % number): number + 1 for number in range(1001)}
    async with keeping(tmp_path) as own:
        assert [one async for one in held_blobs(own.catalog)] == []
        records = [BlobRecord(digest, size, 1.0, 1.0) for digest, size in wanted.items()]
        await asyncio.gather(*map(own.catalog.put_blob, records))
        told = [one async for one in held_blobs(own.catalog)]
        assert told == sorted(wanted.items(), key=lambda one: str(one[0]))


async def test_a_blob_goes_on_being_told_when_others_go_meanwhile(tmp_path: Path) -> None:
    async with keeping(tmp_path) as own:
        wanted = sorted([await own.put_blob(b"%d" % number) for number in range(3)], key=str)
        told = []
        async for digest, _ in held_blobs(own.catalog):
            told.append(digest)
            await own.catalog.remove_blobs([digest])
        assert told == wanted
        assert await own.digests() == set()


async def test_a_layer_belongs_to_all_that_lead_to_it(tmp_path: Path) -> None:
    one, other = image("one"), image("other")
    arm = image("one", platform="linux/arm64")
    async with keeping(tmp_path) as own:
        await own.put_image("b", "a", image=one)
        root = await own.put_image("many", image=index([one, arm]))
        await own.put_image("other", image=other)
        names = [f"{REGISTRY}/pause:{tag}" for tag in ("a", "b", "many")]
        assert await images_with(own.catalog, Digest.of(one.layers[0])) == names
        assert await images_with(own.catalog, one.digest) == names
        assert await images_with(own.catalog, Digest.of(arm.config)) == names[2:]
        assert await images_with(own.catalog, root) == names[2:]
        assert await images_with(own.catalog, one.digest, most=2) == names[:2]


async def test_what_no_tag_leads_to_belongs_to_none(tmp_path: Path) -> None:
    async with keeping(tmp_path) as own:
        await own.put_image(image=image("untagged"))
        assert await images_with(own.catalog, image("untagged").digest) == []
        assert await images_with(own.catalog, Digest.of(b"not here")) == []
