from __future__ import annotations

import asyncio

import pytest

from entrepot.errors import StoreError
from entrepot.mirror.budget import Budget

MIB = 1 << 20


async def test_who_finds_nothing_left_waits_until_somebody_has_finished() -> None:
    budget, order = Budget(10 * MIB), []

    async def use(name: str, count: int, seconds: float) -> None:
        async with budget.share(count, 5.0):
            order.append(name)
            await asyncio.sleep(seconds)

    async with asyncio.TaskGroup() as group:
        group.create_task(use("first", 8 * MIB, 0.02))
        await asyncio.sleep(0)
        group.create_task(use("waits", 8 * MIB, 0.0))
        await asyncio.sleep(0)
        group.create_task(use("small", 2 * MIB, 0.0))
    assert order == ["first", "small", "waits"]
    assert repr(budget) == f"<Budget {10 * MIB} of {10 * MIB} bytes left>"


async def test_patience_ends() -> None:
    budget = Budget(10 * MIB)
    async with budget.share(50 * MIB, 1.0):  # more than there is: all of it
        with pytest.raises(StoreError, match="all 10 MiB"):
            async with budget.share(1, 0.01):
                pass
        waiting = asyncio.get_running_loop().create_task(budget.share(1, 5.0).__aenter__())
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
    assert budget.left == 10 * MIB
