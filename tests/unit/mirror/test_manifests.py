"""Manifests by digest: proved, kept, remembered, and replaced when the disk lost them."""

from __future__ import annotations

from pathlib import Path

import pytest

from entrepot.errors import AllFailed, ManifestUnknown
from entrepot.oci.digest import Digest
from entrepot.oci.reference import Tag
from fakes.images import image
from fakes.registry import FakeRegistry, Fault
from mirroring import PAUSE, mirroring

PICTURE = image("by digest")
OTHER = image("other")


@pytest.mark.rule("C-17")
async def test_a_digest_is_fetched_once_and_then_held(tmp_path: Path) -> None:
    async with FakeRegistry() as registry, mirroring(tmp_path, registry.url) as layer:
        registry.put_image("pause", None, PICTURE)
        served = await layer.manifests.get(PAUSE, PICTURE.digest, layer.deadline())
        assert (served.source, served.manifest.body) == ("miss", PICTURE.manifest)
        peeked = layer.manifests.peek(PICTURE.digest)
        assert peeked is not None
        assert peeked.source == "hit"
        assert len(registry.requests) == 1


@pytest.mark.rule("U-13", "P8")
async def test_a_manifest_that_is_not_its_digest_is_refused_and_the_next_mirror_asked(
    tmp_path: Path,
) -> None:
    async with (
        FakeRegistry() as liar,
        FakeRegistry() as honest,
        mirroring(tmp_path, liar.url, honest.url) as layer,
    ):
        for registry in (liar, honest):
            registry.put_image("pause", None, PICTURE)
        liar.fault(Fault("flip", path="/manifests/", after_bytes=30, times=None))
        served = await layer.manifests.get(PAUSE, PICTURE.digest, layer.deadline())
        assert served.mirror == "mirror1"


async def test_a_rotten_manifest_on_the_disk_is_fetched_again(tmp_path: Path) -> None:
    async with FakeRegistry() as registry, mirroring(tmp_path, registry.url) as layer:
        registry.put_image("pause", None, PICTURE)
        await layer.manifests.get(PAUSE, PICTURE.digest, layer.deadline())
        path = layer.store.layout.blob(PICTURE.digest)
        path.chmod(0o644)
        path.write_bytes(b"x" * path.stat().st_size)
        layer.manifests.memory.drop(PICTURE.digest)
        served = await layer.manifests.get(PAUSE, PICTURE.digest, layer.deadline())
        assert (served.source, served.manifest.body) == ("miss", PICTURE.manifest)
        layer.manifests.memory.drop(PICTURE.digest)
        assert await layer.manifests.held(PICTURE.digest) is not None
        quarantine = layer.store.layout.quarantine / "sha256"
        assert [path.name[:64] for path in quarantine.iterdir()] == [PICTURE.digest.hex]


@pytest.mark.rule("P28")
async def test_while_the_catalog_is_incomplete_a_file_is_judged_by_its_content(
    tmp_path: Path,
) -> None:
    async with mirroring(tmp_path, "http://127.0.0.1:9") as layer:
        config = Digest.of(PICTURE.config)
        await layer.store.put(PICTURE.digest, PICTURE.manifest)
        await layer.store.put(config, PICTURE.config)
        served = await layer.manifests.get(PAUSE, PICTURE.digest, layer.deadline())
        assert served.manifest.media_type == PICTURE.media_type
        assert await layer.manifests.held(config) is None
        assert await layer.manifests.held(OTHER.digest) is None
        layer.manifests.memory.drop(PICTURE.digest)
        await layer.upkeep.swept()
        assert await layer.manifests.held(PICTURE.digest) is not None
        await layer.catalog.remove_blobs([PICTURE.digest])
        layer.manifests.memory.drop(PICTURE.digest)
        assert await layer.manifests.held(PICTURE.digest) is None


@pytest.mark.parametrize("broken", ["blob", "catalog"])
async def test_what_the_disk_does_not_give_is_asked_of_mirrors(tmp_path: Path, broken: str) -> None:
    async with FakeRegistry() as registry, mirroring(tmp_path, registry.url) as layer:
        registry.put_image("pause", None, PICTURE)
        await layer.manifests.get(PAUSE, PICTURE.digest, layer.deadline())
        layer.manifests.memory.drop(PICTURE.digest)
        if broken == "blob":
            path = layer.store.layout.blob(PICTURE.digest)
            path.unlink()
            path.mkdir()  # what is there cannot be read
        else:
            await layer.catalog.aclose()
        served = await layer.manifests.get(PAUSE, PICTURE.digest, layer.deadline())
        assert (served.source, served.manifest.body) == ("miss", PICTURE.manifest)


async def test_an_unknown_digest_is_unknown_and_remembered(tmp_path: Path) -> None:
    async with FakeRegistry() as registry, mirroring(tmp_path, registry.url) as layer:
        for _ in range(2):
            with pytest.raises(ManifestUnknown):
                await layer.manifests.get(PAUSE, PICTURE.digest, layer.deadline())
        assert len(registry.requests) == 1


@pytest.mark.rule("P30")
async def test_a_manifest_that_cannot_be_kept_is_served_all_the_same(tmp_path: Path) -> None:
    async with FakeRegistry() as registry, mirroring(tmp_path, registry.url) as layer:
        registry.put_image("pause", None, PICTURE)
        layer.store.layout.blob(PICTURE.digest).mkdir(parents=True)  # where the file should go
        served = await layer.manifests.get(PAUSE, PICTURE.digest, layer.deadline())
        assert served.manifest.body == PICTURE.manifest


async def test_a_repository_that_no_mirror_carries_is_told_as_such(tmp_path: Path) -> None:
    mirror = {"url": "http://127.0.0.1:1", "table": {"coredns": "google_containers/coredns"}}
    async with mirroring(tmp_path, mirror) as layer:
        with pytest.raises(AllFailed, match="no configured mirror carries"):
            await layer.manifests.get(PAUSE, OTHER.digest, layer.deadline())


async def test_what_has_left_the_cache_is_asked_for_again(tmp_path: Path) -> None:
    picture = image("forgotten", layers=[10])
    async with FakeRegistry() as registry, mirroring(tmp_path, registry.url) as layer:
        registry.put_image("pause", "3.1", picture)
        await layer.tags.get(PAUSE, Tag("3.1"), layer.deadline())
        assert layer.manifests.peek(picture.digest) is not None
        assert len(layer.fills.room.leases) == 0
        evicted = await layer.fills.room.evict_now(1)
        assert evicted.images == 1
        assert layer.manifests.peek(picture.digest) is None
        assert layer.tags.peek(PAUSE, Tag("3.1")) is None
        assert await layer.manifests.held(picture.digest) is None
        served = await layer.tags.get(PAUSE, Tag("3.1"), layer.deadline())
        assert (served.source, served.manifest.body) == ("miss", picture.manifest)
