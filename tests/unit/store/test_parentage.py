"""Indexes are found by what they name."""

from __future__ import annotations

from pathlib import Path

from entrepot.oci.digest import Digest
from entrepot.store.opening import opened
from entrepot.store.parentage import indexes_naming
from entrepot.store.record import Child, ManifestRecord

CHILD = Digest.of(b"child")


def record(name: str, used_at: float) -> ManifestRecord:
    return ManifestRecord(
        digest=Digest.of(name.encode()),
        media_type="application/vnd.oci.image.index.v1+json",
        size=9,
        mirror="m",
        registry="r",
        repository="app",
        used_at=used_at,
    )


async def test_the_last_used_come_first_and_not_all_of_them(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache:
        assert await indexes_naming(cache.catalog, CHILD) == ()
        for number in range(10):
            named = Child(CHILD, "application/vnd.oci.image.manifest.v1+json", 7)
            await cache.catalog.put_manifest(record(f"index {number}", float(number)), [named])
        await cache.catalog.put_manifest(record("another", 99.0), [])
        found = await indexes_naming(cache.catalog, CHILD)
        assert found == tuple(Digest.of(f"index {number}".encode()) for number in range(9, 1, -1))
