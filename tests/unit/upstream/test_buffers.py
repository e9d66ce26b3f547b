from __future__ import annotations

import asyncio

from entrepot.upstream.buffers import BUFFER_BYTES, MOST_BUFFERS, Buffers


class Freed:
    """Hears of buffers that came back."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> None:
        self.calls += 1


async def test_there_are_only_so_many() -> None:
    buffers = Buffers(Freed())
    taken = []
    while not buffers.empty:
        taken.append(buffers.take())
    assert [len(buffer) for buffer in taken] == [BUFFER_BYTES] * MOST_BUFFERS


async def test_one_that_came_back_from_a_thread_is_used_again() -> None:
    freed = Freed()
    buffers = Buffers(freed)
    first, second = buffers.take(), buffers.take()
    await asyncio.to_thread(buffers.give_back, first)
    await asyncio.to_thread(buffers.give_back, second)
    await asyncio.sleep(0)
    assert freed.calls == 2
    assert buffers.take() is second
    assert buffers.take() is first


async def test_after_the_end_nothing_is_kept_and_nobody_told() -> None:
    freed = Freed()
    buffers = Buffers(freed)
    late = buffers.take()
    buffers.close()
    buffers.give_back(late)
    await asyncio.sleep(0)
    assert buffers.empty
    assert freed.calls == 0


def test_one_may_come_back_when_the_loop_is_gone() -> None:
    async def leave() -> tuple[Buffers, bytearray]:
        buffers = Buffers(Freed())
        return buffers, buffers.take()

    buffers, late = asyncio.run(leave())
    buffers.give_back(late)
