"""What a verdict is founded on comes through the mirror layer, proved, and within limits."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from entrepot.errors import BlobUnknown, ManifestUnknown, TransferBroken
from entrepot.mirror.evidence import Evidence
from entrepot.oci.digest import Digest
from entrepot.oci.reference import Tag
from fakes.images import artifact, image, index
from fakes.registry import FakeRegistry
from mirroring import PAUSE, Mirroring, mirroring

APP = image("app", layers=(3000,), flavour="oci")
BOTH = index([APP], flavour="oci")


def evidence(layer: Mirroring) -> Evidence:
    return Evidence(layer.tags, layer.blobs, layer.listings, PAUSE, layer.deadline())


async def test_manifests_by_tag_and_by_digest(tmp_path: Path) -> None:
    async with FakeRegistry() as registry, mirroring(tmp_path, registry.url) as layer:
        registry.put_image("pause", "3.1", APP)
        fetch = evidence(layer)
        assert (await fetch.manifest(Tag("3.1"))).body == APP.manifest
        assert (await fetch.manifest(APP.digest)).body == APP.manifest
        with pytest.raises(ManifestUnknown):
            await fetch.manifest(Tag("3.2"))


async def test_small_blobs_whole(tmp_path: Path) -> None:
    async with FakeRegistry() as registry, mirroring(tmp_path, registry.url) as layer:
        registry.put_image("pause", "3.1", APP)
        fetch, digest = evidence(layer), Digest.of(APP.layers[0])
        assert await fetch.blob(digest, 3000) == APP.layers[0]
        await layer.fills.settled()
        assert await fetch.blob(digest, 3000) == APP.layers[0]
        with pytest.raises(TransferBroken, match="longer than the 2999 bytes"):
            await fetch.blob(digest, 2999)
        with pytest.raises(BlobUnknown):
            await fetch.blob(Digest.of(b"unknown"), 9)


async def test_a_blob_that_has_rotted_is_no_evidence(tmp_path: Path) -> None:
    async with FakeRegistry() as registry, mirroring(tmp_path, registry.url) as layer:
        registry.put_image("pause", "3.1", APP)
        fetch, digest = evidence(layer), Digest.of(APP.layers[0])
        await fetch.blob(digest, 3000)
        await layer.fills.settled()
        (file,) = tmp_path.rglob(digest.hex)
        file.chmod(0o600)
        file.write_bytes(bytes(3000))
        with pytest.raises(TransferBroken, match="something else"):
            await fetch.blob(digest, 3000)


async def test_referrers(tmp_path: Path) -> None:
    async with FakeRegistry() as registry, mirroring(tmp_path, registry.url) as layer:
        registry.put_image("pause", "3.1", APP)
        attached = registry.put_image("pause", None, artifact(subject=APP))
        found = json.loads((await evidence(layer).referrers(APP.digest)).body)["manifests"]
        assert [one["digest"] for one in found] == [str(attached)]


async def test_indexes_that_are_here(tmp_path: Path) -> None:
    async with FakeRegistry() as registry, mirroring(tmp_path, registry.url) as layer:
        registry.put_image("pause", "3.1", BOTH)
        fetch = evidence(layer)
        assert await fetch.indexes(APP.digest) == ()
        await fetch.manifest(Tag("3.1"))
        assert await fetch.indexes(APP.digest) == (BOTH.digest,)
