"""The last lists that named something stay, within limits."""

from __future__ import annotations

from pathlib import Path

import pytest

from entrepot.oci.digest import Digest
from entrepot.store import referrerlists
from entrepot.store.opening import opened
from entrepot.store.referrerlists import (
    LARGEST_BYTES,
    ReferrerList,
    drop_referrers,
    held_referrers,
    keep_referrers,
)

IMAGE = Digest.of(b"image")


async def test_the_last_list_is_held_over_a_restart(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache:
        assert await held_referrers(cache.catalog, "r", "app", IMAGE) is None
        for body in (b"{}", '{"é": 1}'.encode()):
            keep_referrers(cache.catalog, ReferrerList("r", "app", IMAGE, body, 7.5))
    async with opened(tmp_path) as cache:
        held = await held_referrers(cache.catalog, "r", "app", IMAGE)
        assert held == ReferrerList("r", "app", IMAGE, '{"é": 1}'.encode(), 7.5)
        assert await held_referrers(cache.catalog, "r", "other", IMAGE) is None
        drop_referrers(cache.catalog, "r", "app", IMAGE)
    async with opened(tmp_path) as cache:
        assert await held_referrers(cache.catalog, "r", "app", IMAGE) is None


async def test_a_long_list_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    """What is held is never older than what was told last."""
    async with opened(tmp_path) as cache:
        keep_referrers(cache.catalog, ReferrerList("r", "app", IMAGE, b"{}", 1.0))
        keep_referrers(
            cache.catalog, ReferrerList("r", "app", IMAGE, bytes(LARGEST_BYTES + 1), 2.0)
        )
    async with opened(tmp_path) as cache:
        assert await held_referrers(cache.catalog, "r", "app", IMAGE) is None


async def test_the_oldest_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(referrerlists, "MOST_LISTS", 3)
    async with opened(tmp_path) as cache:
        for number in range(5):
            keep_referrers(
                cache.catalog, ReferrerList("r", f"app{number}", IMAGE, b"{}", float(number))
            )
    async with opened(tmp_path) as cache:
        held = [await held_referrers(cache.catalog, "r", f"app{n}", IMAGE) for n in range(5)]
        assert [one is not None for one in held] == [False, False, True, True, True]
