"""What goes with an image, and what stays because another needs it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from entrepot.oci.digest import Digest
from entrepot.oci.mediatype import OCI_INDEX, OCI_MANIFEST
from entrepot.oci.reference import RepositoryName, Tag
from entrepot.store.catalog import Catalog
from entrepot.store.record import BlobRecord, Child, ManifestRecord, Removed, TagRecord

PAUSE = RepositoryName.parse("pause")


def d(name: str) -> Digest:
    return Digest.of(name.encode())


@pytest.fixture
async def catalog(tmp_path: Path) -> AsyncIterator[Catalog]:
    catalog = Catalog(tmp_path / "catalog.db")
    await catalog.open()
    yield catalog
    await catalog.aclose()


async def put_image(catalog: Catalog, tag: str, **platforms: list[str]) -> None:
    """An index `tag` that lists a manifest for each platform, with layers of 10 bytes each."""
    children = [Child(d(name), OCI_MANIFEST, 5, f"linux/{name}") for name in platforms]
    index = ManifestRecord(d(tag), OCI_INDEX, 7, "m")
    record = TagRecord("r", PAUSE, Tag.parse(tag), d(tag), OCI_INDEX, 7, 1.0, "m")
    await catalog.record(index, children, record)
    for name, layers in platforms.items():
        await catalog.put_manifest(
            ManifestRecord(d(name), OCI_MANIFEST, 5, "m"),
            [Child(d(layer), "layer", 10) for layer in layers],
        )
        for layer in layers:
            await catalog.put_blob(BlobRecord(d(layer), 10, 1.0, 1.0))


def names(removed: Removed, *known: str) -> tuple[set[str], set[str], set[str]]:
    by_digest = {d(name): name for name in known}
    return (
        {tag for _, _, tag in removed.tags},
        {by_digest[digest] for digest in removed.manifests},
        {by_digest[digest] for digest, _ in removed.blobs},
    )


@pytest.mark.rule("P9")
async def test_an_image_goes_with_all_that_only_it_needs(catalog: Catalog) -> None:
    await put_image(catalog, "one", amd64=["a", "shared"], arm64=["b"])
    await put_image(catalog, "two", riscv64=["c", "shared"])
    removed = await catalog.remove_images([d("one")], held=())
    tags, manifests, blobs = names(
        removed, "one", "two", "amd64", "arm64", "riscv64", "a", "b", "c", "shared"
    )
    assert tags == {"one"}
    assert manifests == {"one", "amd64", "arm64"}
    assert blobs == {"one", "amd64", "arm64", "a", "b"}
    assert removed.bytes == 7 + 5 + 5 + 10 + 10
    assert (await catalog.totals()).bytes == 7 + 5 + 10 + 10
    assert await catalog.tag("r", PAUSE, Tag.parse("one")) is None
    assert await catalog.blob(d("shared")) is not None


async def test_the_last_image_takes_the_shared_layer_along(catalog: Catalog) -> None:
    await put_image(catalog, "one", amd64=["a", "shared"])
    await put_image(catalog, "two", riscv64=["c", "shared"])
    removed = await catalog.remove_images([d("one"), d("two")], held=())
    assert d("shared") in {digest for digest, _ in removed.blobs}
    totals = await catalog.totals()
    assert (totals.blobs, totals.bytes) == (0, 0)


async def test_a_manifest_listed_by_an_index_that_stays_is_left(catalog: Catalog) -> None:
    await put_image(catalog, "one", amd64=["a"], arm64=["b"])
    await put_image(catalog, "two", amd64=["a"])
    removed = await catalog.remove_images([d("one")], held=())
    _, manifests, blobs = names(removed, "one", "amd64", "arm64", "a", "b")
    assert manifests == {"one", "arm64"}
    assert blobs == {"one", "arm64", "b"}


async def test_a_manifest_with_a_tag_of_its_own_is_left(catalog: Catalog) -> None:
    await put_image(catalog, "one", amd64=["a"])
    own = TagRecord("r", PAUSE, Tag.parse("own"), d("amd64"), OCI_MANIFEST, 5, 1.0, "m")
    await catalog.put_tag(own)
    removed = await catalog.remove_images([d("one")], held=())
    assert names(removed, "one", "amd64", "a") == ({"one"}, {"one"}, {"one"})
    assert await catalog.is_manifest(d("amd64"))


async def test_what_has_got_another_name_since_it_was_chosen_is_left(catalog: Catalog) -> None:
    await put_image(catalog, "one", amd64=["a"])
    await put_image(catalog, "two", riscv64=["b"])
    late = TagRecord("r", PAUSE, Tag.parse("late"), d("one"), OCI_INDEX, 7, 2.0, "m")
    await catalog.put_tag(late)
    removed = await catalog.remove_images(
        [d("one"), d("two")], held=(), named={d("one"): 1, d("two"): 1}
    )
    known = ("one", "two", "riscv64", "b")
    assert names(removed, *known) == ({"two"}, {"two", "riscv64"}, {"two", "riscv64", "b"})
    assert await catalog.tag("r", PAUSE, Tag.parse("one")) is not None
    assert await catalog.blob(d("a")) is not None
    removed = await catalog.remove_images([d("one")], held=(), named={d("one"): 2})
    assert names(removed, "one", "amd64", "a")[0] == {"one", "late"}


async def test_what_somebody_reads_is_left(catalog: Catalog) -> None:
    await put_image(catalog, "one", amd64=["a", "b"])
    removed = await catalog.remove_images([d("one")], held={d("a")})
    assert names(removed, "one", "amd64", "a", "b")[2] == {"one", "amd64", "b"}
    assert await catalog.blob(d("a")) is not None


async def test_a_lost_blob_is_forgotten_and_the_tag_stays(catalog: Catalog) -> None:
    await put_image(catalog, "one", amd64=["a", "b"])
    removed = await catalog.remove_blobs([d("a"), d("amd64"), d("never")])
    assert names(removed, "amd64", "a") == (set(), {"amd64"}, {"amd64", "a"})
    assert await catalog.tag("r", PAUSE, Tag.parse("one")) is not None
    assert await catalog.blob(d("b")) is not None
