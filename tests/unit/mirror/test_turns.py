"""Long work on the loop: others come in between."""

from __future__ import annotations

import asyncio

import pytest

from entrepot.mirror import turns as module
from entrepot.mirror.turns import Turns

_STEPS = 20


async def _turns_of_others(turns: Turns) -> int:
    """Work in steps, and count how often another task got the loop meanwhile."""
    count = 0
    working = True

    async def other() -> None:
        nonlocal count
        while working:
            count += 1
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as group:
        group.create_task(other())
        for _ in range(_STEPS):
            await turns.pause()
        working = False
    return count


@pytest.mark.parametrize("hurried", [False, True])
async def test_others_come_in_after_each_turn(
    monkeypatch: pytest.MonkeyPatch, *, hurried: bool
) -> None:
    monkeypatch.setattr(module, "_TURN_S", 0.0)
    assert await _turns_of_others(Turns(lambda: hurried)) >= _STEPS


async def test_a_turn_goes_on_until_it_was_long_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_TURN_S", 1e9)
    assert await _turns_of_others(Turns(lambda: False)) <= 1


async def test_what_was_spent_waiting_makes_no_long_rest() -> None:
    loop = asyncio.get_running_loop()
    turns = Turns(lambda: False)
    began = loop.time()  # far from 0, when this turn seems to have begun
    async with asyncio.timeout(10):
        await turns.pause()
    assert loop.time() > began
