from __future__ import annotations

import asyncio

from entrepot.mirror.telling import Telling

MIB = 1 << 20


async def test_the_first_bytes_and_many_are_told_at_once_the_others_soon() -> None:
    telling, heard = Telling(), []

    async def listen() -> None:
        while True:
            await telling.heard()
            heard.append(asyncio.get_running_loop().time())

    listening = asyncio.get_running_loop().create_task(listen())
    await asyncio.sleep(0)
    for there, times in ((1000, 1), (2000, 1), (3000, 1), (3 * MIB, 2), (3 * MIB + 1, 2)):
        telling.grown(there)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert len(heard) == times
    await asyncio.sleep(0.1)
    assert len(heard) == 3
    listening.cancel()
    await asyncio.wait([listening])
