"""One piece of work per key, its outcome for everybody, owned by nobody who waits."""

from __future__ import annotations

import asyncio

import pytest

from entrepot.errors import NameUnknown, Offline
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


async def test_an_interrupted_flight_ends_and_all_who_wait_hear_why() -> None:
    owner = TaskOwner("test")
    flights: Flights[str, int] = Flights(owner, "work")
    ended = []

    async def work() -> int:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("work")
        return 0

    async def stubborn() -> int:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return 1
        return 0

    waiting = [asyncio.ensure_future(flights.join("k", work)) for _ in range(2)]  # noqa: TID251
    waiting.append(asyncio.ensure_future(flights.join("l", stubborn)))  # noqa: TID251
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await flights.interrupt(Offline("gone offline"))
    assert (ended, len(flights), len(owner)) == (["work"], 0, 0)
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [str(one) for one in results] == ["gone offline"] * 3
    await flights.interrupt(Offline("again"))

    async def one() -> int:
        return 1

    assert await flights.join("k", one) == 1
    await owner.aclose()
