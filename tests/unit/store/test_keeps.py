from __future__ import annotations

from pathlib import Path

from entrepot.store.catalog import Catalog
from entrepot.store.keeps import add_keep, list_keeps, remove_keep


async def test_what_is_kept_outlives_a_restart(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path / "catalog.db")
    await catalog.open()
    await add_keep(catalog, "docker.io/library/*", 2.0)
    await add_keep(catalog, "k8s.gcr.io/pause:3.1", 1.0)
    await add_keep(catalog, "docker.io/library/*", 3.0)
    await catalog.aclose()
    again = Catalog(tmp_path / "catalog.db")
    await again.open()
    assert await list_keeps(again) == ["k8s.gcr.io/pause:3.1", "docker.io/library/*"]
    assert await remove_keep(again, "docker.io/library/*")
    assert not await remove_keep(again, "docker.io/library/*")
    assert await list_keeps(again) == ["k8s.gcr.io/pause:3.1"]
    await again.aclose()
