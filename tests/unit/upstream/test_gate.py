"""Waiting for a turn."""

from __future__ import annotations

import asyncio

import pytest

from entrepot.config import LimitSettings
from entrepot.errors import MirrorThrottled
from entrepot.upstream import gate as module
from entrepot.upstream.gate import BUSY_S, Gate, Gates
from entrepot.upstream.limits import Kind


def settings(**written: object) -> LimitSettings:
    return LimitSettings.model_validate(written)


async def test_places_are_taken_and_given_back() -> None:
    gate = Gate(settings(concurrency=2))
    first, second = await gate.enter(Kind.TAG), await gate.enter(Kind.TAG)
    assert gate.ready_in(Kind.TAG, 0) == BUSY_S
    third = asyncio.get_running_loop().create_task(gate.enter(Kind.TAG))
    await asyncio.sleep(0)
    assert not third.done()
    first.release()
    first.release()
    (await third).release()
    second.release()
    assert gate.ready_in(Kind.TAG, 0) == 0
    assert gate._places._value == 2


async def test_a_place_can_be_handed_on_to_who_stays_longer() -> None:
    gate = Gate(settings(concurrency=1))
    slot = await gate.enter(Kind.BLOB, stream=True)
    other = slot.handed_on()
    slot.release()
    assert gate.ready_in(Kind.BLOB, 0) == BUSY_S
    other.release()
    assert gate.ready_in(Kind.BLOB, 0) == 0


async def test_a_place_that_never_comes_free_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE_S", 0.02)
    gate = Gate(settings(concurrency=1))
    slot = await gate.enter(Kind.TAG)
    with pytest.raises(MirrorThrottled, match="1 requests at a time") as caught:
        await gate.enter(Kind.TAG)
    assert (caught.value.asked, caught.value.retry_after_s) == (False, BUSY_S)
    slot.release()
    (await gate.enter(Kind.TAG)).release()


async def test_streams_leave_places_for_manifests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE_S", 0.02)
    gate = Gate(settings(concurrency=4))
    streams = [await gate.enter(Kind.BLOB, stream=True) for _ in range(3)]
    with pytest.raises(MirrorThrottled):
        await gate.enter(Kind.BLOB, stream=True)
    assert gate.ready_in(Kind.BLOB, 0) == BUSY_S
    assert gate.ready_in(Kind.TAG, 0) == 0
    (await gate.enter(Kind.TAG)).release()
    for slot in streams:
        slot.release()
    assert (gate._places._value, gate._streams._value) == (4, 3)


@pytest.mark.parametrize(("places", "streams"), [(1, 1), (2, 1), (3, 2), (4, 3), (16, 12)])
def test_one_place_in_four_is_not_for_blobs_and_one_of_few(places: int, streams: int) -> None:
    assert Gate(settings(concurrency=places))._streams._value == streams


async def test_one_place_serves_both() -> None:
    gate = Gate(settings(concurrency=1))
    (await gate.enter(Kind.BLOB, stream=True)).release()
    (await gate.enter(Kind.TAG)).release()


async def test_a_short_wait_is_waited_and_a_long_one_refused_at_once() -> None:
    gate = Gate(settings(requests_per_minute=1))
    loop = asyncio.get_running_loop()
    gate.limits.asked(loop.time() - 59.95)
    (await gate.enter(Kind.TAG)).release()
    before = loop.time()
    with pytest.raises(MirrorThrottled, match="1 requests in 60 s"):
        await gate.enter(Kind.TAG)
    assert loop.time() - before < module.PATIENCE_S
    assert gate.ready_in(Kind.TAG, loop.time()) > 50
    assert gate._places._value == 16


async def test_cancelled_waiters_take_nothing_with_them() -> None:
    gate = Gate(settings(concurrency=4))
    held = [await gate.enter(Kind.TAG) for _ in range(4)]
    loop = asyncio.get_running_loop()
    waiting = [loop.create_task(gate.enter(Kind.BLOB, stream=True)) for _ in range(5)]
    await asyncio.sleep(0)
    for task in waiting:
        task.cancel()
    await asyncio.wait(waiting)
    for slot in held:
        slot.release()
    assert (gate._places._value, gate._streams._value) == (4, 3)


def test_mirrors_of_one_host_share_a_gate() -> None:
    gates, some = Gates(), settings(requests_per_minute=20)
    one = gates.of("https://m.example/a", some)
    assert gates.of("https://m.example", settings(requests_per_minute=20)) is one
    assert gates.of("https://m.example", settings()) is not one
    assert gates.of("http://m.example", some) is not one
