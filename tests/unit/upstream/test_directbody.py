"""Taking a long body over from the library; what a stream makes of it is in test_blobstream.py."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from connecting import replying
from entrepot.upstream.directbody import (
    LARGEST_BYTES,
    LONG_BYTES,
    DirectBody,
    take_over,
)
from entrepot.upstream.librarybody import PIECE_BYTES
from fakes.images import blob

LONG = blob(LONG_BYTES + (6 << 20) + 12_345)


def answer(body: bytes, head: bytes = b"", length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%b\r\n%b" % (size, head, body)


@asynccontextmanager
async def answered(reply: bytes) -> AsyncIterator[aiohttp.ClientResponse]:
    async with (
        replying(reply) as url,
        aiohttp.ClientSession(auto_decompress=False, read_bufsize=1 << 20) as session,
        session.get(url) as response,
    ):
        yield response
        response.close()


@asynccontextmanager
async def taken(reply: bytes, limit: int = PIECE_BYTES) -> AsyncIterator[DirectBody]:
    async with answered(reply) as response:
        body = take_over(response, limit)
        assert body is not None
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


@pytest.mark.parametrize(
    "reply",
    [
        answer(LONG[: LONG_BYTES - 1]),
        answer(LONG, b"Content-Encoding: gzip\r\n"),
        b"HTTP/1.1 200 OK\r\n\r\n" + LONG,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n"
        % (len(LONG), LONG),
    ],
    ids=["short", "coded", "until closed", "chunked"],
)
async def test_other_bodies_are_left_to_the_library(reply: bytes) -> None:
    async with answered(reply) as response:
        assert take_over(response, PIECE_BYTES) is None
        await response.read()


async def test_a_lost_connection_is_not_taken_over() -> None:
    async with answered(answer(LONG[:5], length=len(LONG))) as response:
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.content.wait_eof()
        assert take_over(response, PIECE_BYTES) is None


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
