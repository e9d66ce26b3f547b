from __future__ import annotations

import asyncio

from entrepot.mirror.places import Places


async def test_the_slowest_counts() -> None:
    places = Places()
    assert places.lowest(7) == 7
    one, two = places.enter(), places.enter(50)
    places.move(one, 80)
    assert (places.lowest(7), len(places), {*places}) == (50, 2, {one, two})
    places.leave(two)
    places.leave(two)
    assert (places.lowest(7), two in places) == (80, False)


async def test_moving_is_heard_of_and_standing_still_is_not() -> None:
    places = Places()
    one = places.enter()
    moved = one.moved
    waiting = asyncio.get_running_loop().create_task(places.stirred(10.0))
    await asyncio.sleep(0.01)
    places.move(one, 0)
    await asyncio.sleep(0)
    assert (waiting.done(), one.moved) == (False, moved)
    places.move(one, 1)
    await waiting
    assert one.moved > moved
    await places.stirred(0.01)  # patience ends


async def test_deserted_when_the_last_one_goes() -> None:
    places = Places()
    one, two = places.enter(), places.enter()
    waiting = asyncio.get_running_loop().create_task(places.deserted(0.01))
    await asyncio.sleep(0.05)
    places.leave(one)
    await asyncio.sleep(0)
    assert not waiting.done()
    places.leave(two)
    await waiting


async def test_deserted_when_nobody_comes() -> None:
    await Places().deserted(0.01)
