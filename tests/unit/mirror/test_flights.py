"""One piece of work per key, its outcome for everybody, owned by nobody who waits."""

from __future__ import annotations

import asyncio

import pytest

from entrepot.errors import NameUnknown
from entrepot.mirror.flights import Flights
from entrepot.tasks import TaskOwner


async def test_all_who_wait_get_one_result() -> None:
    owner = TaskOwner("test")
    flights: Flights[str, int] = Flights(owner, "work")
    go = asyncio.Event()
    runs = 0

    async def work() -> int:
        nonlocal runs
        runs += 1
        await go.wait()
        return 42

    waiting = [asyncio.ensure_future(flights.join("k", work)) for _ in range(5)]  # noqa: TID251
    await asyncio.sleep(0)
    waiting[0].cancel()
    go.set()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(results[0], asyncio.CancelledError)
    assert (results[1:], runs, len(flights)) == ([42] * 4, 1, 0)
    await owner.aclose()


@pytest.mark.rule("P18")
async def test_all_who_wait_get_the_same_failure_and_the_next_asks_anew() -> None:
    owner = TaskOwner("test")
    flights: Flights[str, int] = Flights(owner, "work")

    async def fail() -> int:
        raise NameUnknown("no")

    async def succeed() -> int:
        return 1

    failed = await asyncio.gather(
        flights.join("k", fail), flights.join("k", fail), return_exceptions=True
    )
    assert [type(one) for one in failed] == [NameUnknown, NameUnknown]
    assert await flights.join("k", succeed) == 1
    await owner.aclose()


async def test_closing_the_owner_cancels_who_waits() -> None:
    owner = TaskOwner("test")
    flights: Flights[str, None] = Flights(owner, "work")
    waiting = asyncio.ensure_future(flights.join("k", asyncio.Event().wait))  # type: ignore[arg-type]  # noqa: TID251
    await asyncio.sleep(0)
    await owner.aclose()
    with pytest.raises(asyncio.CancelledError):
        await waiting
