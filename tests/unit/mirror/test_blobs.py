"""What may be asked about blobs besides their bytes: sizes, and what is no blob."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
from dataclasses import replace
from pathlib import Path

import pytest

from entrepot.errors import AllFailed, BlobUnknown
from entrepot.oci.digest import Digest
from entrepot.oci.manifest import Manifest
from entrepot.oci.reference import RepositoryName, Tag
from fakes.images import blob, image
from fakes.registry import FakeRegistry, Fault
from mirroring import PAUSE, mirroring, read_all
from unit.store.keeping import rot

DATA = blob(5000, "stat")
DIGEST = Digest.of(DATA)


@pytest.mark.rule("P5", "U-4")
async def test_the_size_of_a_cold_blob_is_asked_upstream_and_downloads_nothing(
    tmp_path: Path,
) -> None:
    async with FakeRegistry() as registry, mirroring(tmp_path, registry.url) as layer:
        registry.put_blob("pause", DATA)
        registry.fault(Fault("slow_headers", delay=0.1))
        sizes = await asyncio.gather(
            *(layer.blobs.stat(PAUSE, DIGEST, layer.deadline()) for _ in range(5))
        )
        assert set(sizes) == {(len(DATA), "miss")}
        assert [one.method for one in registry.requests] == ["HEAD"]
        assert len(layer.fills) == 0


@pytest.mark.rule("U-4", "Q-1")
async def test_a_signed_url_that_refuses_head_is_asked_for_one_byte(tmp_path: Path) -> None:
    async with (
        FakeRegistry(redirect_blobs_to="cdn", cdn_get_only=True) as registry,
        mirroring(tmp_path, registry.url) as layer,
    ):
        registry.put_blob("pause", DATA)
        assert await layer.blobs.stat(PAUSE, DIGEST, layer.deadline()) == (len(DATA), "miss")


async def test_the_size_of_a_cached_blob_is_known_without_asking(tmp_path: Path) -> None:
    async with FakeRegistry() as registry, mirroring(tmp_path, registry.url) as layer:
        registry.put_blob("pause", DATA)
        assert await read_all(await layer.blobs.open(PAUSE, DIGEST, layer.deadline())) == DATA
        await layer.fills.settled()
        registry.clear()
        assert await layer.blobs.stat(PAUSE, DIGEST, layer.deadline()) == (len(DATA), "hit")
        assert registry.requests == []


async def test_a_manifest_with_a_wrong_size_keeps_nobody_from_the_layer(tmp_path: Path) -> None:
    picture = image("named twice", layers=[1000])
    told = json.loads(picture.manifest)
    told["layers"][0]["size"] = 999
    wrong = json.dumps(told).encode()
    layer_digest = Digest.of(picture.layers[0])
    async with FakeRegistry() as registry, mirroring(tmp_path, registry.url) as layer:
        registry.put_image("pause", "3.1", picture)
        await layer.tags.get(PAUSE, Tag("3.1"), layer.deadline())
        other = Manifest(Digest.of(wrong), picture.media_type, wrong)
        await layer.manifests.keep(PAUSE, other, "mirror0")
        assert await layer.blobs.stat(PAUSE, layer_digest, layer.deadline()) == (1000, "miss")
        reader = await layer.blobs.open(PAUSE, layer_digest, layer.deadline())
        assert await read_all(reader) == picture.layers[0]


async def test_whoever_leaves_while_a_blob_is_opened_leaves_no_file_open(tmp_path: Path) -> None:
    """A file that nobody closed warns when it is collected, and warnings are errors."""
    async with FakeRegistry() as registry, mirroring(tmp_path, registry.url) as layer:
        registry.put_blob("pause", DATA)
        await read_all(await layer.blobs.open(PAUSE, DIGEST, layer.deadline()))
        await layer.fills.settled()
        for moment in range(100):
            opening = asyncio.ensure_future(  # noqa: TID251 - awaited below
                layer.blobs.open(PAUSE, DIGEST, layer.deadline())
            )
            for _ in range(moment):
                await asyncio.sleep(0)
            opening.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                (await opening).close()
    gc.collect()


async def test_blobs_are_served_and_fetched_without_the_catalog(tmp_path: Path) -> None:
    other = blob(7000, "other")
    async with FakeRegistry() as registry, mirroring(tmp_path, registry.url) as layer:
        for data in (DATA, other):
            registry.put_blob("pause", data)
        assert await read_all(await layer.blobs.open(PAUSE, DIGEST, layer.deadline())) == DATA
        await layer.fills.settled()
        await layer.catalog.aclose()
        cached = await layer.blobs.open(PAUSE, DIGEST, layer.deadline())
        assert cached.source == "hit"
        assert await read_all(cached) == DATA
        cold = await layer.blobs.open(PAUSE, Digest.of(other), layer.deadline())
        assert await read_all(cold) == other


async def test_a_blob_that_could_not_be_read_is_checked_and_fetched_again(tmp_path: Path) -> None:
    async with FakeRegistry() as registry, mirroring(tmp_path, registry.url) as layer:
        registry.put_blob("pause", DATA)
        assert await read_all(await layer.blobs.open(PAUSE, DIGEST, layer.deadline())) == DATA
        await layer.fills.settled()
        path = layer.store.layout.blob(DIGEST)
        rot(path)
        cached = await layer.blobs.open(PAUSE, DIGEST, layer.deadline())
        cached.failed()
        cached.close()
        async with asyncio.timeout(10):
            while await layer.store.size(DIGEST) is not None:
                await asyncio.sleep(0.005)
        again = await layer.blobs.open(PAUSE, DIGEST, layer.deadline())
        again.failed()  # a fill needs no telling
        assert again.source == "fill"
        assert await read_all(again) == DATA


@pytest.mark.rule("C-16", "P28")
async def test_a_manifest_is_no_blob_although_the_catalog_was_lost(tmp_path: Path) -> None:
    picture = image("c16")
    async with FakeRegistry() as registry, mirroring(tmp_path, registry.url) as layer:
        await layer.store.put(picture.digest, picture.manifest)
        with pytest.raises(BlobUnknown, match="is a manifest"):
            await layer.blobs.stat(PAUSE, picture.digest, layer.deadline())
        with pytest.raises(BlobUnknown, match="is a manifest"):
            await layer.blobs.open(PAUSE, picture.digest, layer.deadline())
        assert registry.requests == []


@pytest.mark.rule("C-16")
@pytest.mark.parametrize("forgotten", [False, True], ids=["in memory", "in the catalog"])
async def test_a_manifest_is_no_blob(tmp_path: Path, *, forgotten: bool) -> None:
    picture = image("c16")
    async with FakeRegistry() as registry, mirroring(tmp_path, registry.url) as layer:
        registry.put_image("pause", "3.1", picture)
        registry.put_blob("pause", picture.manifest)
        await layer.tags.get(PAUSE, Tag("3.1"), layer.deadline())
        if forgotten:
            layer.manifests.memory.drop(picture.digest)
        with pytest.raises(BlobUnknown, match="is a manifest"):
            await layer.blobs.stat(PAUSE, picture.digest, layer.deadline())
        with pytest.raises(BlobUnknown, match="is a manifest"):
            await layer.blobs.open(PAUSE, picture.digest, layer.deadline())


@pytest.mark.rule("T-1", "P1")
async def test_a_blob_nobody_begins_to_send_is_given_up_in_time_but_not_the_fill(
    tmp_path: Path,
) -> None:
    async with (
        FakeRegistry() as registry,
        mirroring(tmp_path, registry.url, headers_s=5.0) as layer,
    ):
        registry.put_blob("pause", DATA)
        registry.fault(Fault("slow_headers", path="/blobs/", delay=0.4))
        with pytest.raises(AllFailed, match="still trying"):
            await layer.blobs.open(PAUSE, DIGEST, layer.deadline(0.1))
        assert await read_all(await layer.blobs.open(PAUSE, DIGEST, layer.deadline())) == DATA
        assert len(registry.requests) == 1


async def test_a_reader_holds_its_blob_from_before_it_is_open_until_it_is_closed(
    tmp_path: Path,
) -> None:
    async with FakeRegistry() as registry, mirroring(tmp_path, registry.url) as layer:
        registry.put_blob("pause", DATA)
        leases = layer.fills.room.leases
        for source in ("fill", "hit"):
            opening = asyncio.ensure_future(  # noqa: TID251 - awaited below
                layer.blobs.open(PAUSE, DIGEST, layer.deadline())
            )
            await asyncio.sleep(0)
            assert DIGEST in leases
            reader = await opening
            assert (reader.source, DIGEST in leases) == (source, True)
            assert await read_all(reader) == DATA
            reader.close()
            await layer.fills.settled()
            assert len(leases) == 0


async def test_a_blob_that_cannot_be_had_is_held_by_nobody(tmp_path: Path) -> None:
    async with FakeRegistry() as registry, mirroring(tmp_path, registry.url) as layer:
        with pytest.raises(BlobUnknown):
            await layer.blobs.open(PAUSE, DIGEST, layer.deadline())
        await layer.fills.settled()
        assert len(layer.fills.room.leases) == 0


@pytest.mark.rule("P30")
@pytest.mark.rule("F-9")
async def test_a_blob_that_no_mirror_has_is_not_asked_for_again_at_once(tmp_path: Path) -> None:
    """Nodes try again and again, and mirrors ban for a hundred 404s."""
    layer_bytes = blob(1000, "later")
    digest = Digest.of(layer_bytes)
    async with FakeRegistry() as registry, mirroring(tmp_path, registry.url) as layer:
        for ask in (layer.blobs.open, layer.blobs.stat, layer.blobs.open, layer.blobs.fetch):
            with pytest.raises(BlobUnknown, match="not found on mirror0"):
                await ask(PAUSE, digest, layer.deadline())
            await layer.fills.settled()
        assert len(registry.requests) == 1
        registry.put_blob("pause", layer_bytes)
        layer.clock.now += 31
        assert await read_all(await layer.blobs.open(PAUSE, digest, layer.deadline())) == (
            layer_bytes
        )


@pytest.mark.rule("F-9", "E-3")
async def test_a_blob_that_could_not_be_asked_for_is_not_remembered_as_absent(
    tmp_path: Path,
) -> None:
    layer_bytes = blob(1000, "here")
    digest = Digest.of(layer_bytes)
    async with FakeRegistry() as registry, mirroring(tmp_path, registry.url) as layer:
        registry.put_blob("pause", layer_bytes)
        registry.fault(Fault("status", status=403))
        with pytest.raises(AllFailed):
            await layer.blobs.open(PAUSE, digest, layer.deadline())
        await layer.fills.settled()
        assert await read_all(await layer.blobs.open(PAUSE, digest, layer.deadline())) == (
            layer_bytes
        )


@pytest.mark.rule("P14", "E-3")
async def test_who_joins_a_download_in_another_name_does_not_get_that_names_404(
    tmp_path: Path,
) -> None:
    layer_bytes = blob(1000, "shared")
    digest = Digest.of(layer_bytes)
    other = replace(PAUSE, repository=RepositoryName("other"), client_repository="other")
    async with FakeRegistry() as registry, mirroring(tmp_path, registry.url) as layer:
        registry.put_blob("pause", layer_bytes)
        registry.fault(Fault("slow_headers", path="/other/", delay=0.2))
        first = asyncio.ensure_future(  # noqa: TID251 - awaited below
            layer.blobs.open(other, digest, layer.deadline())
        )
        await registry.until_asked("/other/")
        reader = await layer.blobs.open(PAUSE, digest, layer.deadline())
        assert await read_all(reader) == layer_bytes
        with pytest.raises(BlobUnknown):
            await first


async def test_what_the_disk_does_not_give_comes_from_a_mirror(tmp_path: Path) -> None:
    """With a file where its directory should be it can be read as little as from a broken disk."""
    async with FakeRegistry() as registry, mirroring(tmp_path, registry.url) as layer:
        registry.put_blob("pause", DATA)
        suspected: list[Digest] = []
        layer.blobs.suspect = suspected.append
        directory = layer.store.layout.blob(DIGEST).parent
        directory.parent.mkdir(parents=True)
        directory.write_bytes(b"")
        for _ in range(2):
            assert await read_all(await layer.blobs.open(PAUSE, DIGEST, layer.deadline())) == DATA
            await layer.fills.settled()
        assert suspected == [DIGEST, DIGEST]


@pytest.mark.rule("P30")
async def test_a_cached_blob_that_cannot_be_read_to_its_end_is_suspected(tmp_path: Path) -> None:
    async with FakeRegistry() as registry, mirroring(tmp_path, registry.url) as layer:
        await layer.store.put(DIGEST, DATA)
        suspected: list[Digest] = []
        layer.blobs.suspect = suspected.append
        reader = await layer.blobs.open(PAUSE, DIGEST, layer.deadline())
        reader.failed()
        reader.close()
        assert suspected == [DIGEST]
