"""Which answers are taken away from the library; test_blobstream.py has what a stream does."""

from __future__ import annotations

import aiohttp
import pytest

from entrepot.upstream.librarybody import PIECE_BYTES
from entrepot.upstream.takeover import LONG_BYTES, take_over
from longanswers import LONG, answer, answered


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
