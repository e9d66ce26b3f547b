"""A store in a directory of its own, closed at the end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from entrepot.store.blobs import BlobStore


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[BlobStore]:
    store = BlobStore(tmp_path / "cache")
    await store.open()
    yield store
    await store.aclose()
