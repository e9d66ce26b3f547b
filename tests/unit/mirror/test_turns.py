"""Long work on the loop: others come in between."""

from __future__ import annotations

import asyncio
import time

from entrepot.mirror.turns import Turns


async def _longest_wait_s(turns: Turns, steps: int) -> float:
    """Work for `steps` milliseconds, while another task notes how long it had to wait."""
    loop = asyncio.get_running_loop()
    longest_s = 0.0
    working = True

    async def other() -> None:
        nonlocal longest_s
        while working:
            before = loop.time()
            await asyncio.sleep(0)
            longest_s = max(longest_s, loop.time() - before)

    async with asyncio.TaskGroup() as group:
        group.create_task(other())
        await asyncio.sleep(0)
        for _ in range(steps):
            end = time.thread_time() + 0.001
            while time.thread_time() < end:
                pass
            await turns.pause()
        working = False
    return longest_s


async def test_others_wait_for_a_turn_and_not_for_the_whole() -> None:
    assert await _longest_wait_s(Turns(lambda: False), 60) < 0.06


async def test_others_get_a_moment_even_when_somebody_waits_for_the_work() -> None:
    assert await _longest_wait_s(Turns(lambda: True), 60) < 0.06


async def test_a_pause_costs_nothing_in_the_middle_of_a_turn() -> None:
    turns = Turns(lambda: False)
    await turns.pause()
    pause = turns.pause()
    try:
        pause.send(None)
    except StopIteration:
        ended = True
    else:
        ended = False
        pause.close()
    assert ended
