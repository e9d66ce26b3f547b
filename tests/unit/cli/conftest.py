"""The stopped cache that the commands are tested on."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

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


@pytest.fixture(autouse=True)
def _log_as_before() -> Iterator[None]:
    before, handlers = structlog.get_config(), list(logging.getLogger().handlers)
    yield
    structlog.configure(**before)
    logging.getLogger().handlers[:] = handlers
