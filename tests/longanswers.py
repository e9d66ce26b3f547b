"""Answers that are long enough to be taken away from the HTTP library, as raw bytes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp

from connecting import replying
from entrepot.upstream.takeover import LONG_BYTES
from fakes.images import blob

LONG = blob(LONG_BYTES + (6 << 20) + 12_345)


def answer(body: bytes, head: bytes = b"", length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%b\r\n%b" % (size, head, body)


@asynccontextmanager
async def answered(reply: bytes, *, reset: bool = False) -> AsyncIterator[aiohttp.ClientResponse]:
    async with (
        replying(reply, reset=reset) as url,
        aiohttp.ClientSession(auto_decompress=False, read_bufsize=1 << 20) as session,
        session.get(url) as response,
    ):
        yield response
        response.close()
