"""A long body through a ring of memory; under TLS in test_takeover.py."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from entrepot.upstream.directbody import LARGEST_BYTES, DirectBody
from entrepot.upstream.librarybody import PIECE_BYTES
from entrepot.upstream.takeover import take
from longanswers import LONG, answer, answered


@asynccontextmanager
async def taken(reply: bytes, limit: int = PIECE_BYTES) -> AsyncIterator[DirectBody]:
    async with answered(reply) as response:
        connection = take(response)
        assert connection is not None
        body = DirectBody(connection.transport, connection.library, connection.left, limit)
        body.start(connection.early)
        yield body
        body.close()


async def rest(body: DirectBody, limit: int = PIECE_BYTES) -> bytes:
    got = bytearray()
    while piece := await body.arrival(limit):
        for buffer in piece.buffers:
            got += buffer
        piece.done()
    return bytes(got)


async def test_every_byte_comes_in_order_through_the_same_memory() -> None:
    async with taken(answer(LONG)) as body:
        got, memory = bytearray(), set()
        while piece := body.take(PIECE_BYTES) or await body.arrival(PIECE_BYTES):
            assert len(piece) <= LARGEST_BYTES
            for buffer in piece.buffers:
                got += buffer
                if isinstance(buffer, memoryview):
                    memory.add(id(buffer.obj))
            piece.done()
        assert got == LONG
        assert len(memory) == 1


async def test_what_follows_the_body_is_not_part_of_it() -> None:
    async with taken(answer(LONG + b"HTTP/1.1 200 OK\r\n\r\n", length=len(LONG))) as body:
        assert await rest(body) == LONG
        assert not await body.arrival(PIECE_BYTES)


async def test_what_came_before_a_break_is_kept() -> None:
    async with taken(answer(LONG[:-5], length=len(LONG))) as body:
        assert await rest(body) == LONG[:-5]


async def test_pieces_are_as_small_as_is_asked_for() -> None:
    async with taken(answer(LONG)) as body:
        sizes = []
        for _ in range(30):
            piece = await body.arrival(64 << 10)
            sizes.append(len(piece))
            piece.done()
        # The first ones were under way when it was asked for.
        assert max(sizes[-10:]) <= 64 << 10


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
        assert got + await rest(body) == LONG


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
        piece = await body.arrival(PIECE_BYTES)
        while not isinstance(piece.buffers[0], memoryview):
            piece = await body.arrival(PIECE_BYTES)
        memory = weakref.ref(piece.buffers[0].obj)
        body.close()
        piece.done()
        assert memory() is not None
        del piece
        await asyncio.sleep(0)
        assert memory() is None
