"""A long body received by whoever uses it."""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from mmap import mmap

import pytest

from entrepot.upstream.librarybody import PIECE_BYTES
from entrepot.upstream.socketbody import SocketBody
from entrepot.upstream.takeover import take
from longanswers import LONG, answer, answered


@asynccontextmanager
async def taken(reply: bytes, *, reset: bool = False) -> AsyncIterator[SocketBody]:
    async with answered(reply, reset=reset) as response:
        connection = take(response)
        assert connection is not None
        body = SocketBody(connection.transport, connection.library, connection.left)
        body.start(connection.early)
        yield body
        body.close()


async def rest(body: SocketBody, got: bytearray) -> bytearray:
    while piece := await body.arrival(PIECE_BYTES):
        for buffer in piece.buffers:
            got += buffer
        piece.done()
    return got


async def test_every_byte_comes_in_order_through_the_same_memory() -> None:
    async with taken(answer(LONG)) as body:
        got, memory = bytearray(), set()
        while piece := body.take(PIECE_BYTES) or await body.arrival(PIECE_BYTES):
            assert len(piece) <= PIECE_BYTES
            for buffer in piece.buffers:
                got += buffer
                if isinstance(buffer, memoryview) and isinstance(buffer.obj, mmap):
                    memory.add(id(buffer.obj))
            piece.done()
        assert got == LONG
        assert len(memory) == 1


async def test_what_follows_the_body_is_not_part_of_it() -> None:
    async with taken(answer(LONG + b"HTTP/1.1 200 OK\r\n\r\n", length=len(LONG))) as body:
        assert await rest(body, bytearray()) == LONG
        assert not await body.arrival(PIECE_BYTES)


async def test_what_came_before_a_break_is_kept() -> None:
    async with taken(answer(LONG[:-5], length=len(LONG))) as body:
        assert await rest(body, bytearray()) == LONG[:-5]


async def test_a_thread_receives_and_another_gives_back() -> None:
    got = bytearray()

    def take() -> int:
        data, done = body.receive(PIECE_BYTES)
        got.extend(data)
        threading.Thread(target=done).start()
        return len(data)

    async with taken(answer(LONG)) as body:
        while not body.at_end:
            await body.ready()
            assert await asyncio.to_thread(take) <= PIECE_BYTES
        assert got == LONG
        body.check()


async def test_a_break_is_told_of_after_the_bytes_before_it() -> None:
    async with taken(answer(LONG[:-5], length=len(LONG)), reset=True) as body:
        got = bytearray()
        with pytest.raises(ConnectionResetError):
            await rest(body, got)
        assert got == LONG[:-5]


async def test_it_reads_no_further_than_it_has_memory() -> None:
    async with taken(answer(LONG)) as body:
        pieces = []
        while body.reading:
            pieces.append(await body.arrival(PIECE_BYTES))
        while piece := body.take(PIECE_BYTES):
            pieces.append(piece)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await body.arrival(PIECE_BYTES)
        got = b"".join(bytes(buffer) for piece in pieces for buffer in piece.buffers)
        for piece in pieces:
            piece.done()
        assert bytes(got) + await rest(body, bytearray()) == LONG


async def test_a_cancelled_wait_loses_nothing() -> None:
    async with taken(answer(LONG)) as body:
        got = bytearray()
        while len(got) < len(LONG):
            try:
                async with asyncio.timeout(0):
                    piece = await body.arrival(PIECE_BYTES)
            except TimeoutError:
                piece = await body.arrival(PIECE_BYTES)
            for buffer in piece.buffers:
                got += buffer
            piece.done()
        assert got == LONG


async def test_closing_frees_the_memory_without_the_collector() -> None:
    async with taken(answer(LONG)) as body:
        data, done = body.receive(PIECE_BYTES)
        while not isinstance(data.obj, mmap):
            done()
            await body.ready()
            data, done = body.receive(PIECE_BYTES)
        memory = weakref.ref(data.obj)
        body.close()
        done()
        assert memory() is not None
        del data, done
        assert memory() is None
