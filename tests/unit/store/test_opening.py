"""A cache opened and closed, and what is left of how it ended."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from entrepot.errors import StoreError, StoreLocked
from entrepot.store.database import Statement
from entrepot.store.opening import opened


async def test_a_good_end_is_remembered(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache:
        assert not cache.clean
        assert not cache.store.layout.clean.exists()
    for _ in range(2):
        async with opened(tmp_path) as cache:
            assert cache.clean
            assert not cache.store.layout.clean.exists()


async def test_an_exception_is_no_good_end(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        async with opened(tmp_path):
            raise ZeroDivisionError
    async with opened(tmp_path) as cache:
        assert not cache.clean


async def test_a_change_that_was_not_written_is_no_good_end(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache:
        with pytest.raises(StoreError):
            await cache.catalog.write([Statement("nonsense")])
    async with opened(tmp_path) as cache:
        assert not cache.clean


async def test_a_mark_that_cannot_be_left_costs_a_sweep_only(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache:
        await asyncio.to_thread(cache.store.layout.temporary.rmdir)
    async with opened(tmp_path) as cache:
        assert not cache.clean


async def test_a_second_user_is_refused(tmp_path: Path) -> None:
    async with opened(tmp_path):
        with pytest.raises(StoreLocked):
            async with opened(tmp_path):
                pytest.fail("it was opened twice")
