"""What might be evicted, in order of use and in pages, with everything that belongs to it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from entrepot.oci.digest import Digest
from entrepot.oci.mediatype import OCI_INDEX, OCI_MANIFEST
from entrepot.oci.reference import RepositoryName, Tag
from entrepot.store.candidates import (
    PAGE_PARTS,
    PAGE_ROOTS,
    Root,
    read_candidates,
    read_loose,
    read_roots,
)
from entrepot.store.catalog import Catalog
from entrepot.store.record import BlobRecord, Child, ManifestRecord, TagRecord

PAUSE = RepositoryName.parse("pause")


def d(name: str) -> Digest:
    return Digest.of(name.encode())


@pytest.fixture
async def catalog(tmp_path: Path) -> AsyncIterator[Catalog]:
    catalog = Catalog(tmp_path / "catalog.db")
    await catalog.open()
    yield catalog
    await catalog.aclose()


async def put_manifest(catalog: Catalog, name: str, used_at: float, *layers: str) -> None:
    record = ManifestRecord(d(name), OCI_MANIFEST, 5, "m", "r", "pause", used_at)
    await catalog.put_manifest(record, [Child(d(layer), "layer", 10) for layer in layers])


async def put_blob(catalog: Catalog, name: str, used_at: float = 1.0) -> None:
    await catalog.put_blob(BlobRecord(d(name), 10, 1.0, used_at, "r", "m", 0.5))


async def test_roots_come_in_order_of_use_page_by_page(catalog: Catalog) -> None:
    count = PAGE_ROOTS + 3
    for number in range(count):
        await put_manifest(catalog, f"m{number}", float(number % 7))
    first = await read_roots(catalog, None)
    second = await read_roots(catalog, first[-1])
    assert (len(first), len(second)) == (PAGE_ROOTS, 3)
    assert await read_roots(catalog, second[-1]) == []
    both = [*first, *second]
    assert both == sorted(both, key=lambda root: (root.used_at, root.digest))
    assert len({root.digest for root in both}) == count


async def test_a_page_ends_before_its_parts_are_too_many(catalog: Catalog) -> None:
    """An index may list thousands; a page of such ones took 40 MB."""
    wide = [f"part{number}" for number in range(PAGE_PARTS)]
    await put_manifest(catalog, "small", 1.0, "layer")
    await put_manifest(catalog, "wide", 2.0, *wide)
    await put_manifest(catalog, "half", 3.0, *wide[: PAGE_PARTS // 2])
    index = ManifestRecord(d("index"), OCI_INDEX, 7, "m", "r", "pause", 4.0)
    await catalog.put_manifest(index, [Child(d("child"), OCI_MANIFEST, 5)])
    await put_manifest(catalog, "child", 4.0, *wide[: PAGE_PARTS // 2])
    pages, after = [], None
    while page := await read_roots(catalog, after):
        pages.append([root.digest for root in page])
        after = page[-1]
    assert pages == [[str(d(name))] for name in ("small", "wide", "half", "index")]


async def test_a_listed_manifest_is_a_part_and_no_root(catalog: Catalog) -> None:
    index = ManifestRecord(d("index"), OCI_INDEX, 7, "m", "r", "pause", 3.0)
    children = [Child(d("amd64"), OCI_MANIFEST, 5), Child(d("never"), OCI_MANIFEST, 5)]
    tag = TagRecord("r", PAUSE, Tag.parse("1"), d("index"), OCI_INDEX, 7, 1.0, "m")
    await catalog.record(index, children, tag)
    await put_manifest(catalog, "amd64", 2.0, "layer", "coming")
    await put_blob(catalog, "layer", 9.0)
    roots = await read_roots(catalog, None)
    assert [root.digest for root in roots] == [str(d("index"))]
    [candidate] = await read_candidates(catalog, roots)
    assert candidate.root == Root(str(d("index")), 3.0, "r", "pause")
    assert candidate.names == [("r", "pause", "1")]
    sizes = {name: candidate.parts[str(d(name))].size for name in ("index", "amd64", "layer")}
    assert sizes == {"index": 7, "amd64": 5, "layer": 10}
    layer = candidate.parts[str(d("layer"))]
    assert (layer.used_at, layer.registry, layer.mirror, layer.seconds) == (9.0, "r", "m", 0.5)
    # what is not here has no size, but shows that the image is being pulled while it is fetched
    assert {candidate.parts[str(d(name))].size for name in ("never", "coming")} == {0}
    assert not any(part.shared for part in candidate.parts.values())


async def test_a_layer_is_shared_when_an_image_that_was_not_asked_about_lists_it(
    catalog: Catalog,
) -> None:
    await put_manifest(catalog, "one", 1.0, "base", "own")
    await put_manifest(catalog, "two", 2.0, "base")
    await put_blob(catalog, "base")
    one, two = await read_roots(catalog, None)
    [alone] = await read_candidates(catalog, [one])
    assert alone.parts[str(d("base"))].shared
    assert not alone.parts[str(d("own"))].shared
    both = await read_candidates(catalog, [one, two])
    assert not any(candidate.parts[str(d("base"))].shared for candidate in both)


async def test_blobs_that_no_manifest_lists_are_found(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    await put_manifest(catalog, "one", 1.0, "listed")
    for name, used_at in {"listed": 1.0, "a": 30.0, "b": 10.0, "c": 20.0}.items():
        await put_blob(catalog, name, used_at)
    wanted = [str(d("b")), str(d("c")), str(d("a"))]
    assert [root.digest for root in await read_loose(catalog)] == wanted
    monkeypatch.setattr("entrepot.store.candidates._SCANNED", 2)
    assert [root.digest for root in await read_loose(catalog)] == wanted
    [candidate] = await read_candidates(catalog, [Root(wanted[0], 10.0)])
    assert {digest: part.size for digest, part in candidate.parts.items()} == {wanted[0]: 10}


async def test_a_root_that_came_to_be_listed_meanwhile_stays(catalog: Catalog) -> None:
    await put_manifest(catalog, "one", 1.0, "layer")
    await put_blob(catalog, "layer")
    index = ManifestRecord(d("index"), OCI_INDEX, 7, "m", "r", "pause", 3.0)
    await catalog.put_manifest(index, [Child(d("one"), OCI_MANIFEST, 5)])
    removed = await catalog.remove_images([d("one")], held=())
    assert (removed.manifests, removed.blobs) == ((), ())
    assert await catalog.is_manifest(d("one"))
