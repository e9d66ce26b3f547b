"""How far a job is."""

from __future__ import annotations

import asyncio

from entrepot.mirror.prefetchjob import Item, Job, Order, State
from entrepot.tasks import TaskOwner
from fakes.images import sha256

A, B, C = (sha256(name) for name in (b"a", b"b", b"c"))


def job(*items: Item) -> Job:
    return Job(1, Order(tuple(item.told for item in items)), 0.0, list(items))


def test_bytes_count_once_and_only_what_was_not_here() -> None:
    one = Item("one", parts={A: 10, B: 20}, here={A}, before={A}, state=State.FETCHING)
    two = Item("two", parts={B: 20, C: -1}, here={B}, state=State.DONE)
    made = job(one, two, Item("three", state=State.FAILED))
    progress = made.progress([(B, 5), (C, 7), (sha256(b"other"), 99)])
    assert (progress.bytes, progress.bytes_total) == (27, 20)
    assert (progress.done, progress.failed, progress.images) == (1, 1, 3)
    assert [item.told for item in made.failed] == ["one", "three"]
    assert (one.bytes, two.bytes) == (30, 20)
    assert [item.ended for item in made.items] == [False, True, True]


async def test_news_wake_and_patience_ends() -> None:
    made = job()
    waiting = TaskOwner("test").start(made.heard(60), name="wait")
    await asyncio.sleep(0)
    made.tell()
    await waiting
    await made.heard(0.001)
