"""Old unfinished downloads go, young ones and those being worked on stay."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

from entrepot.mirror.sweep import sweep_partials
from entrepot.oci.digest import Digest
from entrepot.store.blobs import BlobStore


async def a_partial(store: BlobStore, data: bytes, age_s: float) -> Path:
    digest = Digest.of(data)
    partial = await store.begin(digest)
    await partial.write(0, data[:1])
    await partial.aclose()
    directory = store.layout.partial(digest)
    then = time.time() - age_s
    await asyncio.to_thread(os.utime, directory / "data", (then, then))
    return directory


async def test_old_ones_go_and_young_ones_stay(tmp_path: Path) -> None:
    store = BlobStore(tmp_path)
    await store.open()
    old = await a_partial(store, b"old", 1000.0)
    young = await a_partial(store, b"young", 10.0)
    sweeping = asyncio.ensure_future(sweep_partials(store, 100.0, time.time))  # noqa: TID251
    async with asyncio.timeout(5):
        while old.exists():
            await asyncio.sleep(0.01)
    assert young.exists()
    sweeping.cancel()
    await asyncio.wait([sweeping])
    await store.aclose()
