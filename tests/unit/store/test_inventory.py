"""The list of images: all of them, page by page, with how complete they are."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from entrepot.errors import DigestInvalid, NameInvalid, TagInvalid
from entrepot.oci.digest import Digest
from entrepot.oci.manifest import read_manifest
from entrepot.oci.reference import RepositoryName, Tag
from entrepot.store.blobs import BlobStore
from entrepot.store.catalog import Catalog
from entrepot.store.children import linked_children
from entrepot.store.closure import Closure
from entrepot.store.inventory import ImageRecord, Inventory
from entrepot.store.record import BlobRecord, ManifestRecord, TagRecord
from entrepot.trust.level import Level
from fakes.images import Image, Index, image, index

K8S = "registry.k8s.io"
ARM = image("one", platform="linux/arm64")
BOTH = index([image("one"), ARM])


class Shelf:
    """A catalog, its files and its inventory."""

    def __init__(self, store: BlobStore, catalog: Catalog) -> None:
        self.store, self.catalog = store, catalog
        self.inventory = Inventory(catalog, Closure(catalog, store))

    async def put(
        self, one: Image | Index, repository: str = "pause", tag: str = "", registry: str = K8S
    ) -> None:
        manifest = read_manifest(one.manifest, one.media_type)
        await self.store.put(manifest.digest, manifest.body)
        record = ManifestRecord(
            manifest.digest, one.media_type, manifest.size, "giver", registry, repository, 7.0
        )
        children = linked_children(manifest)
        if not tag:
            await self.catalog.put_manifest(record, children)
            return
        named = TagRecord(
            registry=registry,
            repository=RepositoryName(repository),
            tag=Tag(tag),
            digest=manifest.digest,
            media_type=one.media_type,
            size=manifest.size,
            checked_at=5.0,
            mirror="teller",
        )
        await self.catalog.record(record, children, named)

    async def put_blobs(self, one: Image) -> None:
        for data in one.blobs:
            digest = Digest.of(data)
            await self.store.put(digest, data)
            await self.catalog.put_blob(BlobRecord(digest, len(data), 1.0, 1.0))

    async def names(
        self, pattern: str | None = None, after: str | None = None, limit: int = 100
    ) -> list[str]:
        return [one.name for one in await self.inventory.images(pattern, after, limit)]

    async def image(self, name: str) -> ImageRecord:
        found = await self.inventory.image(name)
        assert found is not None
        return found


@pytest.fixture
async def shelf(tmp_path: Path) -> AsyncIterator[Shelf]:
    store, catalog = BlobStore(tmp_path), Catalog(tmp_path / "catalog.db")
    await store.open()
    await catalog.open()
    yield Shelf(store, catalog)
    await catalog.aclose()
    await store.aclose()


async def test_a_tag_with_all_that_is_known_of_it(shelf: Shelf) -> None:
    await shelf.put(BOTH, tag="3.1")
    await shelf.put(ARM)
    await shelf.put_blobs(ARM)
    (one,) = await shelf.inventory.images()
    assert one.name == f"{K8S}/pause:3.1"
    assert (one.digest, one.media_type) == (BOTH.digest, BOTH.media_type)
    assert (one.mirror, one.used_at, one.level) == ("teller", 7.0, int(Level.FIRST))
    states = [(state.platform, state.complete) for state in one.completeness.platforms]
    assert states == [("linux/amd64", False), ("linux/arm64", True)]
    sizes = [len(BOTH.manifest), len(ARM.manifest), *map(len, ARM.blobs)]
    assert one.completeness.bytes_present == sum(sizes)
    assert await shelf.image(one.name) == one


async def test_what_has_no_tag_and_no_index_is_there_by_its_digest(shelf: Shelf) -> None:
    await shelf.put(BOTH, tag="3.1")
    for platform in BOTH.images:
        await shelf.put(platform)
    alone = image("alone")
    await shelf.put(alone)
    assert await shelf.names() == [f"{K8S}/pause:3.1", f"{K8S}/pause@{alone.digest}"]
    assert [one.level for one in await shelf.inventory.images()] == [int(Level.FIRST), 0]


async def test_pages_follow_one_another_to_the_whole_list(shelf: Shelf) -> None:
    for number, repository in enumerate(("a", "a/b", "b", "a", "b")):
        await shelf.put(image(number), repository, f"v{number}")
    await shelf.put(image("untagged"), "a")
    await shelf.put(image("other"), "a", "v0", registry="docker.io")
    whole = await shelf.names()
    assert len(whole) == 7
    for limit in (1, 2, 3):
        seen: list[str] = []
        while page := await shelf.names(after=seen[-1] if seen else None, limit=limit):
            assert len(page) <= limit
            seen += page
        assert seen == whole


async def test_a_pattern_is_for_the_whole_name(shelf: Shelf) -> None:
    await shelf.put(image(1), "coredns/coredns", "v1")
    await shelf.put(image(2), "pause", "3.1")
    await shelf.put(image(2), "pause", "3.2")
    assert await shelf.names("*/pause:*") == [f"{K8S}/pause:3.1", f"{K8S}/pause:3.2"]
    assert await shelf.names("*/pause:3.[2-9]") == [f"{K8S}/pause:3.2"]
    assert await shelf.names(f"{K8S}/*", after=f"{K8S}/pause:3.1") == [f"{K8S}/pause:3.2"]
    assert await shelf.names("pause") == []


async def test_a_tag_whose_manifest_was_lost(shelf: Shelf) -> None:
    await shelf.put(image(1), tag="3.1")
    await shelf.catalog.remove_blobs([image(1).digest])
    one = await shelf.image(f"{K8S}/pause:3.1")
    assert (one.used_at, one.completeness.pullable) == (0.0, False)
    assert [state.lacks_manifest for state in one.completeness.platforms] == [True]


async def test_one_by_its_digest_may_be_part_of_an_index(shelf: Shelf) -> None:
    await shelf.put(BOTH, tag="3.1")
    await shelf.put(ARM)
    await shelf.put_blobs(ARM)
    one = await shelf.image(f"{K8S}/pause@{ARM.digest}")
    (state,) = one.completeness.platforms
    assert (state.platform, state.complete, one.mirror) == ("linux/arm64", True, "giver")


async def test_what_is_not_here_is_none(shelf: Shelf) -> None:
    assert await shelf.inventory.images() == ()
    for name in (f"{K8S}/pause:3.1", f"{K8S}/pause@{ARM.digest}"):
        assert await shelf.inventory.image(name) is None


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("", NameInvalid),
        ("pause", NameInvalid),
        ("registry/pause", NameInvalid),
        ("registry/:3.1", NameInvalid),
        ("registry/UPPER:3.1", NameInvalid),
        ("registry/pause:", NameInvalid),
        ("registry/pause:~", TagInvalid),
        ("registry/pause@sha256:12", DigestInvalid),
        ("registry/pause@3.1", DigestInvalid),
    ],
)
async def test_a_name_that_is_none(shelf: Shelf, name: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        await shelf.inventory.image(name)
