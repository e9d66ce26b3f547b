"""Tasks with an owner: stopped when it closes, heard of when they die."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from entrepot.tasks import TaskOwner, owned


async def forever() -> None:
    await asyncio.get_running_loop().create_future()


async def test_closing_stops_what_is_left_and_waits_for_it() -> None:
    ended = []

    async def work() -> None:
        try:
            await forever()
        finally:
            await asyncio.sleep(0)
            ended.append("cleaned up")

    owner = TaskOwner("test")
    task = owner.start(work(), name="work")
    await asyncio.sleep(0)
    assert len(owner) == 1
    await owner.aclose()
    assert (ended, task.cancelled(), len(owner)) == (["cleaned up"], True, 0)
    await owner.aclose()


async def test_a_closed_owner_starts_nothing() -> None:
    owner = TaskOwner("test")
    await owner.aclose()
    with pytest.raises(RuntimeError, match="test is closing"):
        _ = owner.start(forever(), name="late")
    assert len(owner) == 0


async def test_a_task_that_dies_is_logged_with_its_name() -> None:
    async def dies() -> None:
        raise ValueError("a mistake")

    owner = TaskOwner("fills")
    with capture_logs() as logged:
        _ = owner.start(dies(), name="sha256:ab")
        await owner.settled()
        await asyncio.sleep(0)
    (line,) = logged
    assert (line["event"], line["task"]) == ("task.died", "fills: sha256:ab")
    assert isinstance(line["exc_info"], ValueError)
    await owner.aclose()


async def test_a_cancelled_task_is_no_news() -> None:
    owner = TaskOwner("test")
    with capture_logs() as logged:
        _ = owner.start(forever(), name="work")
        await owner.aclose()
    assert logged == []


async def test_the_result_can_be_awaited() -> None:
    async def answer() -> int:
        return 42

    owner = TaskOwner("test")
    assert await owner.start(answer(), name="answer") == 42
    await owner.aclose()


async def test_settled_waits_for_those_that_are_here_now() -> None:
    owner = TaskOwner("test")
    await owner.settled()
    gate = asyncio.Event()

    async def opened() -> None:
        await gate.wait()

    task = owner.start(opened(), name="opened")
    waiter = asyncio.get_running_loop().create_task(owner.settled())
    await asyncio.sleep(0)
    assert not waiter.done()
    gate.set()
    await waiter
    assert task.done()
    await owner.aclose()


async def test_a_task_that_refuses_to_die_is_waited_for() -> None:
    """It may be in the middle of a step that must be finished."""
    gate = asyncio.Event()

    async def stubborn() -> str:
        try:
            await forever()
        except asyncio.CancelledError:
            await gate.wait()
        return "finished"

    owner = TaskOwner("test")
    task = owner.start(stubborn(), name="stubborn")
    await asyncio.sleep(0)
    closing = asyncio.get_running_loop().create_task(owner.aclose())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not closing.done()
    gate.set()
    await closing
    assert task.result() == "finished"


async def test_what_is_cancelled_has_ended_and_others_may_follow() -> None:
    owner = TaskOwner("test")
    first = owner.start(forever(), name="first")
    await owner.cancel()
    assert (first.cancelled(), len(owner)) == (True, 0)
    await owner.cancel()
    second = owner.start(forever(), name="second")
    await asyncio.sleep(0)
    assert not second.done()
    await owner.aclose()


async def test_what_is_owned_for_a_block_ends_with_it() -> None:
    async with owned("test") as owner:
        task = owner.start(forever(), name="work")
        await asyncio.sleep(0)
    assert task.cancelled()
