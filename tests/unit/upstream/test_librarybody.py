"""Bodies through the library's own reader; the promises are tested in test_blobstream.py."""

from __future__ import annotations

import aiohttp
import pytest

from connecting import replying
from entrepot.upstream.librarybody import LibraryBody

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"


async def test_a_body_and_its_end() -> None:
    async with (
        replying(HEAD + b"something") as url,
        aiohttp.ClientSession() as session,
        session.get(url) as response,
    ):
        body = LibraryBody(response)
        assert not body.take(4)
        got = [b"".join((await body.arrival(4)).buffers) for _ in range(4)]
        assert got == [b"some", b"thin", b"g", b""]
        body.close()


async def test_what_came_before_a_break_is_told_first() -> None:
    async with (
        replying(HEAD + b"some") as url,
        aiohttp.ClientSession() as session,
        session.get(url) as response,
    ):
        body = LibraryBody(response)
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.content.wait_eof()
        assert (await body.arrival(1 << 20)).buffers == (b"some",)
        with pytest.raises(aiohttp.ClientPayloadError):
            await body.arrival(1 << 20)
