"""An image whose program runs, and the laboratory around it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fakes.images import Index
from laboratory import Laboratory
from programs.pause import compiled, pause


@pytest.fixture(scope="session")
def pause_index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    """`pause:3.1`, compiled once."""
    return pause(compiled(tmp_path_factory.mktemp("pause")))


@pytest.fixture
async def laboratory(tmp_path: Path, pause_index: Index) -> AsyncIterator[Laboratory]:
    """With one mirror, which works."""
    async with Laboratory(tmp_path, pause_index) as laboratory:
        yield laboratory


@pytest.fixture
async def bad_day(tmp_path: Path, pause_index: Index) -> AsyncIterator[Laboratory]:
    """With three mirrors, the first two of them dead."""
    async with Laboratory(tmp_path, pause_index, dead_mirrors=True) as laboratory:
        yield laboratory
