"""No faster than it may, no faster than it has to."""

from __future__ import annotations

import asyncio

import pytest

from entrepot.store.pace import COST_BYTES, LEAST_BYTES_PER_S, Pace, rate_for

GIB = 1 << 30
MONTH_S = 30 * 86400.0


@pytest.mark.parametrize(
    ("total", "blobs", "every_s", "ceiling", "expected"),
    [
        (GIB, 10, MONTH_S, None, None),
        (GIB, 10, MONTH_S, 20 << 20, LEAST_BYTES_PER_S),
        (0, 0, MONTH_S, 20 << 20, LEAST_BYTES_PER_S),
        (GIB, 10, MONTH_S, 1000, 1000),
        (100_000 * GIB, 10, MONTH_S, 20 << 20, 20 << 20),
        (0, 1 << 20, 86400.0, 20 << 20, (1 << 20) * COST_BYTES / 86400.0 * 1.25),
    ],
)
def test_rate(
    total: int, blobs: int, every_s: float, ceiling: int | None, expected: float | None
) -> None:
    assert rate_for(total, blobs, every_s, ceiling) == expected


async def test_without_a_rate_nothing_waits() -> None:
    pace, now = Pace(), asyncio.get_running_loop().time
    began = now()
    for _ in range(100):
        await pace.spent(GIB, whole=True)
    assert now() - began < 1.0


async def test_the_rate_is_kept_also_over_small_files() -> None:
    pace, now = Pace(COST_BYTES * 100.0), asyncio.get_running_loop().time
    began = now()
    for _ in range(20):
        await pace.spent(0, whole=True)
    assert now() - began >= 0.15
