from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from entrepot.oci.digest import Digest
from entrepot.oci.mediatype import OCI_INDEX, OCI_MANIFEST
from entrepot.store.catalog import Catalog
from entrepot.store.record import BlobRecord, Child, ManifestRecord
from entrepot.store.uses import Uses

INDEX, ARM64, LAYER = (Digest.of(name) for name in (b"index", b"arm64", b"layer"))


@pytest.fixture
async def catalog(tmp_path: Path) -> AsyncIterator[Catalog]:
    catalog = Catalog(tmp_path / "catalog.db")
    await catalog.open()
    await catalog.put_manifest(
        ManifestRecord(INDEX, OCI_INDEX, 9, "m", used_at=1.0), [Child(ARM64, OCI_MANIFEST, 5)]
    )
    await catalog.put_manifest(
        ManifestRecord(ARM64, OCI_MANIFEST, 5, "m", used_at=1.0), [Child(LAYER, "layer", 3)]
    )
    await catalog.put_blob(BlobRecord(LAYER, 3, 1.0, 1.0))
    yield catalog
    await catalog.aclose()


async def used_at(catalog: Catalog) -> dict[str, float]:
    rows = await catalog.survey("SELECT digest, used_at FROM manifests")
    rows += await catalog.survey("SELECT digest, used_at FROM blobs WHERE digest = ?", str(LAYER))
    names = {str(INDEX): "index", str(ARM64): "arm64", str(LAYER): "layer"}
    return {names[str(digest)]: float(at) for digest, at in rows}


async def test_an_index_is_used_when_one_of_its_manifests_is(catalog: Catalog) -> None:
    catalog.use_manifest(ARM64, 7.0)
    await catalog.flush()
    assert await used_at(catalog) == {"index": 7.0, "arm64": 7.0, "layer": 1.0}


async def test_a_layer_that_many_share_makes_no_image_young(catalog: Catalog) -> None:
    catalog.use_blob(LAYER, 7.0)
    await catalog.flush()
    assert await used_at(catalog) == {"index": 1.0, "arm64": 1.0, "layer": 7.0}


async def test_no_use_goes_back_in_time(catalog: Catalog) -> None:
    catalog.use_manifest(INDEX, 7.0)
    await catalog.flush()
    catalog.use_manifest(INDEX, 3.0)
    await catalog.flush()
    assert (await used_at(catalog))["index"] == 7.0


def test_what_was_taken_is_not_taken_again() -> None:
    uses = Uses()
    uses.manifest(INDEX, 1.0)
    uses.blob(LAYER, 1.0)
    assert uses
    assert [len(statement.rows) for statement in uses.take()] == [1, 2]
    assert not uses
    assert uses.take() == []


def test_what_was_noted_is_known_until_it_is_taken() -> None:
    uses = Uses()
    uses.manifest(INDEX, 1.0)
    uses.blob(LAYER, 1.0)
    assert [uses.knows(each) for each in (INDEX, LAYER, ARM64)] == [True, True, False]
    uses.take()
    assert not uses.knows(INDEX)
