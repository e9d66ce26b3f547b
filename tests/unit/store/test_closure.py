"""How complete images are, found out from a real catalog and real files."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from entrepot.oci.digest import Digest
from entrepot.oci.manifest import read_manifest
from entrepot.oci.mediatype import OCI_EMPTY, OCI_MANIFEST, SCHEMA1
from entrepot.store.blobs import BlobStore
from entrepot.store.catalog import Catalog
from entrepot.store.children import linked_children
from entrepot.store.closure import Closure
from entrepot.store.completeness import Completeness
from entrepot.store.record import BlobRecord, Child, ManifestRecord
from fakes.images import Image, Index, artifact, image, index
from fakes.schema1 import signed_manifest

AMD = image("one", platform="linux/amd64", layers=(100, 200))
ARM = image("one", platform="linux/arm64/v8", layers=(100, 200))
BOTH = index([AMD, ARM])


@dataclass(frozen=True, slots=True)
class Shelf:
    """A catalog with its files, filled as the mirror layer fills them."""

    catalog: Catalog
    store: BlobStore
    closure: Closure

    async def put_manifest(self, body: bytes, media_type: str) -> Child:
        manifest = read_manifest(body, media_type)
        await self.store.put(manifest.digest, body)
        record = ManifestRecord(manifest.digest, media_type, len(body), "m", "r", "pause", 7.0)
        await self.catalog.put_manifest(record, linked_children(manifest))
        return Child(manifest.digest, media_type, len(body))

    async def put_blob(self, data: bytes) -> None:
        digest = Digest.of(data)
        await self.store.put(digest, data)
        await self.catalog.put_blob(BlobRecord(digest, len(data), 1.0, 1.0))

    async def put(self, one: Image | Index, *blobs: bytes) -> Child:
        for data in blobs:
            await self.put_blob(data)
        return await self.put_manifest(one.manifest, one.media_type)

    async def both_ways(self, root: Child) -> Completeness:
        """What `check` and `survey` agree on."""
        checked = await self.closure.check(root)
        assert await self.closure.survey([root]) == [checked]
        return checked


@pytest.fixture
async def shelf(tmp_path: Path) -> AsyncIterator[Shelf]:
    store, catalog = BlobStore(tmp_path), Catalog(tmp_path / "catalog.db")
    await store.open()
    await catalog.open()
    yield Shelf(catalog, store, Closure(catalog, store))
    await catalog.aclose()
    await store.aclose()


async def test_platforms_of_an_index(shelf: Shelf) -> None:
    root = await shelf.put(BOTH)
    await shelf.put(AMD, *AMD.blobs)
    await shelf.put(ARM, *ARM.blobs[:2])
    amd, arm = (await shelf.both_ways(root)).platforms
    assert (amd.platform, amd.complete, amd.blobs) == ("linux/amd64", True, 3)
    assert (arm.platform, arm.complete) == ("linux/arm64/v8", False)
    assert [one.digest for one in arm.missing] == [Digest.of(ARM.layers[1])]
    assert arm.bytes_total - arm.bytes_present == 200


async def test_a_platform_whose_manifest_was_never_asked_for(shelf: Shelf) -> None:
    root = await shelf.put(BOTH)
    await shelf.put(AMD, *AMD.blobs)
    verdict = await shelf.both_ways(root)
    assert [state.lacks_manifest for state in verdict.platforms] == [False, True]


async def test_the_platform_without_an_index_is_what_the_config_says(shelf: Shelf) -> None:
    root = await shelf.put(ARM, ARM.config)
    (state,) = (await shelf.both_ways(root)).platforms
    assert (state.platform, len(state.missing)) == ("linux/arm64/v8", 2)
    await shelf.store.delete(Digest.of(ARM.config))
    (state,) = (await shelf.closure.check(root)).platforms
    assert (state.platform, len(state.missing)) == ("", 3)


@pytest.mark.parametrize("config", [b"<html>", b"{}", b'{"os": 1}'])
async def test_a_config_that_says_nothing_is_no_platform(shelf: Shelf, config: bytes) -> None:
    told = {
        "mediaType": "application/vnd.oci.image.config.v1+json",
        "digest": str(Digest.of(config)),
        "size": len(config),
    }
    body = json.dumps({"config": told, "layers": []}).encode()
    await shelf.put_blob(config)
    root = await shelf.put_manifest(body, OCI_MANIFEST)
    (state,) = (await shelf.closure.survey([root]))[0].platforms
    assert (state.platform, state.complete) == ("", True)


async def test_a_request_believes_the_disk_and_not_the_catalog(shelf: Shelf) -> None:
    root = await shelf.put(AMD, *AMD.blobs)
    await shelf.store.delete(Digest.of(AMD.layers[0]))
    assert not (await shelf.closure.check(root)).complete
    await shelf.store.put(Digest.of(AMD.layers[0]), AMD.layers[0])
    await shelf.catalog.remove_blobs([Digest.of(AMD.layers[0])])
    assert (await shelf.closure.check(root)).complete


async def test_a_manifest_whose_file_is_gone(shelf: Shelf) -> None:
    root = await shelf.put(BOTH)
    await shelf.put(AMD, *AMD.blobs)
    await shelf.store.delete(AMD.digest)
    verdict = await shelf.closure.check(root)
    assert not verdict.pullable
    assert all(state.lacks_manifest for state in verdict.platforms)


async def test_nothing_is_known_of_what_was_never_here(shelf: Shelf) -> None:
    (state,) = (await shelf.both_ways(Child(AMD.digest, "", -1))).platforms
    assert (state.lacks_manifest, state.bytes_total) == (True, 0)


@pytest.mark.rule("F-7")
async def test_inline_content_is_not_missing(shelf: Shelf) -> None:
    empty = {"mediaType": OCI_EMPTY, "digest": str(Digest.of(b"{}")), "size": 2}
    inline = {**empty, "data": base64.b64encode(b"{}").decode()}
    body = json.dumps({"config": inline, "layers": [], "schemaVersion": 2}).encode()
    root = await shelf.put_manifest(body, OCI_MANIFEST)
    assert (await shelf.both_ways(root)).complete
    plain = await shelf.put(artifact(payload=b"chart"), b"chart")
    assert not (await shelf.both_ways(plain)).complete
    await shelf.put_blob(b"{}")
    assert (await shelf.both_ways(plain)).complete


@pytest.mark.rule("F-3")
async def test_schema_1_needs_its_layers(shelf: Shelf) -> None:
    layers = [{"blobSum": str(Digest.of(data))} for data in (b"one", b"two")]
    body = json.dumps({"schemaVersion": 1, "fsLayers": layers, "history": []}).encode()
    root = await shelf.put_manifest(body, SCHEMA1)
    await shelf.put_blob(b"one")
    (state,) = (await shelf.both_ways(root)).platforms
    assert [(one.digest, one.size) for one in state.missing] == [(Digest.of(b"two"), -1)]
    await shelf.put_blob(b"two")
    assert (await shelf.both_ways(root)).complete


@pytest.mark.rule("F-5")
async def test_an_attestation_is_known_by_its_annotation(shelf: Shelf) -> None:
    noted = image("sbom", annotations={"vnd.docker.reference.type": "attestation-manifest"})
    root = await shelf.put(index([AMD, noted], flavour="oci"))
    await shelf.put(AMD, *AMD.blobs)
    assert [s.platform for s in (await shelf.both_ways(root)).platforms] == ["linux/amd64"]


async def test_a_manifest_that_rotted_is_taken_for_what_the_catalog_says(shelf: Shelf) -> None:
    root = await shelf.put(AMD, AMD.config)
    path = shelf.store.layout.blob(AMD.digest)
    await asyncio.to_thread(path.unlink)
    await asyncio.to_thread(path.write_bytes, b"rot")
    (state,) = (await shelf.closure.check(root)).platforms
    assert len(state.missing) == 2


async def test_parents_are_the_indexes_with_what_they_call_it(shelf: Shelf) -> None:
    root = await shelf.put(BOTH)
    assert await shelf.closure.parents(ARM.digest) == [(root, "linux/arm64/v8")]
    assert await shelf.closure.parents(BOTH.digest) == []


async def test_a_manifest_at_hand_needs_neither_record_nor_file(shelf: Shelf) -> None:
    """As when the disk was full, or of schema 1, which is kept in memory only."""
    manifest = read_manifest(BOTH.manifest, BOTH.media_type)
    root = Child(manifest.digest, manifest.media_type, manifest.size)
    await shelf.put(AMD, *AMD.blobs)
    assert not (await shelf.closure.check(root)).pullable
    verdict = await shelf.closure.check(root, manifest)
    assert [state.complete for state in verdict.platforms] == [True, False]
    signed = signed_manifest("pause", "3.1")
    old = read_manifest(signed.manifest, signed.media_type)
    verdict = await shelf.closure.check(Child(old.digest, old.media_type, old.size), old)
    assert not verdict.pullable
    assert not any(state.lacks_manifest for state in verdict.platforms)
