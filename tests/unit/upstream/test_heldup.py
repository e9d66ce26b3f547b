"""What the limits of ours cost an attempt."""

from __future__ import annotations

import asyncio

import pytest

from entrepot.upstream.heldup import HeldUp, held_up


def now() -> float:
    return asyncio.get_running_loop().time()


async def count_for_ever(account: HeldUp) -> None:
    with account.counting():
        await asyncio.Event().wait()


async def test_what_waits_in_the_task_of_an_attempt_is_counted_for_that_attempt() -> None:
    mine, other, free = HeldUp(), HeldUp(), asyncio.Event()

    async def wait() -> None:
        with held_up().counting():
            await free.wait()

    loop = asyncio.get_running_loop()
    task = loop.create_task(wait(), context=mine.context())
    began = now()
    await asyncio.wait({task}, timeout=0.05)
    assert 0.04 < mine.seconds(now()) <= now() - began
    assert other.seconds(now()) == 0.0
    assert "and waiting" in repr(mine)
    free.set()
    await task
    total_s = mine.seconds(now())
    assert total_s == mine.seconds(now() + 60.0)
    assert "waiting" not in repr(mine)


async def test_a_wait_that_is_cancelled_is_over() -> None:
    mine = HeldUp()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(count_for_ever(mine), 0.02)
    assert mine.seconds(now()) == mine.seconds(now() + 60.0) >= 0.01


async def test_outside_of_attempts_nobody_reads_it() -> None:
    assert held_up() is not held_up()
