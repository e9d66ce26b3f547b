"""The stopped cache that the commands are tested on."""

from __future__ import annotations

from pathlib import Path

import pytest

from unit.cli.stopped import ONE, TWO, Stopped


@pytest.fixture
async def stopped(tmp_path: Path) -> Stopped:
    """ONE as pause:1 and TWO as pause:2, which share a layer."""
    made = Stopped(tmp_path)
    made.configure()
    async with made.opened() as cache:
        await cache.put_image("1", image=ONE)
        await cache.put_image("2", image=TWO)
    return made
