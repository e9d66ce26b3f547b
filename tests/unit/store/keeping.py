"""A cache with its upkeep, and images put into it as the server does, or past the catalog."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from entrepot.metrics import Metrics
from entrepot.oci.digest import Digest
from entrepot.oci.manifest import Manifest
from entrepot.oci.reference import RepositoryName, Tag
from entrepot.store.blobs import BlobStore
from entrepot.store.catalog import Catalog
from entrepot.store.children import linked_children
from entrepot.store.opening import opened
from entrepot.store.record import BlobRecord, ManifestRecord, TagRecord
from entrepot.store.upkeep import Upkeep, UpkeepRules, open_upkeep
from fakes.images import Image, Index
from mirroring import WallClock

REGISTRY = "registry.example"
PAUSE = RepositoryName("pause")
OLD = 1_700_000_000.0
"""Long before WallClock's now."""


@dataclass(slots=True)
class Keeping:
    """An open cache; `forgotten` is what memory was told to drop."""

    upkeep: Upkeep
    clock: WallClock
    metrics: Metrics
    forgotten: list[Digest] = field(default_factory=list)

    @property
    def store(self) -> BlobStore:
        return self.upkeep.cache.store

    @property
    def catalog(self) -> Catalog:
        return self.upkeep.cache.catalog

    def path(self, digest: Digest) -> Path:
        return self.store.layout.blob(digest)

    async def put_file(self, data: bytes, at: float = OLD) -> Digest:
        """A file that the catalog does not know of, last written to at `at`."""
        digest = Digest.of(data)
        await self.store.put(digest, data)
        os.utime(self.path(digest), (at, at))
        return digest

    async def put_blob(self, data: bytes, at: float = OLD) -> Digest:
        digest = await self.put_file(data, at)
        await self.catalog.put_blob(BlobRecord(digest, len(data), at, at, REGISTRY, "first", 1.0))
        return digest

    async def put_image(self, *tags: str, image: Image | Index) -> Digest:
        """The whole of it, by way of the catalog; an index with its images."""
        blobs = [] if isinstance(image, Index) else image.blobs
        for data in blobs:
            await self.put_blob(data)
        for each in image.images if isinstance(image, Index) else ():
            await self.put_image(image=each)
        digest = await self.put_file(image.manifest)
        manifest = Manifest(digest, image.media_type, image.manifest)
        record = ManifestRecord(digest, image.media_type, manifest.size, "first", used_at=OLD)
        await self.catalog.put_manifest(record, linked_children(manifest))
        for name in tags:
            await self.catalog.put_tag(self.tag(name, digest, manifest))
        return digest

    def tag(self, name: str, digest: Digest, manifest: Manifest) -> TagRecord:
        return TagRecord(
            REGISTRY,
            PAUSE,
            Tag.parse(name),
            digest,
            manifest.media_type,
            manifest.size,
            OLD,
            "first",
        )

    async def table(self, name: str, *columns: str) -> set[tuple[object, ...]]:
        """All rows of a table, only some columns of them."""
        return set(await self.catalog.survey(f"SELECT {', '.join(columns)} FROM {name}"))

    async def digests(self, table: str = "blobs") -> set[Digest]:
        return {Digest.parse(str(row[0])) for row in await self.table(table, "digest")}

    async def tags(self) -> list[str]:
        return [str(record.tag) for record in await self.catalog.tags(REGISTRY, PAUSE)]


@asynccontextmanager
async def keeping(path: Path, rules: UpkeepRules | None = None) -> AsyncIterator[Keeping]:
    """Open the cache at `path`; nothing runs in the background until `upkeep.start()`."""
    clock, metrics, forgotten = WallClock(), Metrics(), list[Digest]()
    async with (
        opened(path) as cache,
        open_upkeep(
            cache, metrics.upkeep, rules, forgotten=forgotten.append, clock=clock
        ) as upkeep,
    ):
        yield Keeping(upkeep, clock, metrics, forgotten)


def rot(path: Path, at: int = 0) -> None:
    """Flip a bit of a file that is read-only, as a bad disk does."""
    path.chmod(0o600)
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)
        file.seek(at)
        file.write(bytes([byte[0] ^ 1]))
    path.chmod(0o444)


def files(directory: Path) -> Sequence[str]:
    """The names of everything below `directory`, sorted."""
    return sorted(path.name for path in directory.rglob("*") if path.is_file())
