"""Answers that are read into memory."""

from __future__ import annotations

import aiohttp
import pytest

from connecting import replying
from entrepot.errors import AttemptError, MirrorFailed, MirrorSilent, MirrorUnreachable
from entrepot.upstream.body import read_body
from fakes.registry import FakeRegistry, Fault

HEAD = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    "reply",
    [
        HEAD + b"Content-Length: 9\r\n\r\nsomething",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n4\r\nsome\r\n5\r\nthing\r\n0\r\n\r\n",
        HEAD + b"\r\nsomething",
    ],
    ids=["length", "chunked", "until closed"],
)
async def test_a_body_within_the_limit_is_read(reply: bytes) -> None:
    async with (
        replying(reply) as url,
        aiohttp.ClientSession() as session,
        session.get(url) as response,
    ):
        assert await read_body(response, limit=9, stall_s=5) == b"something"


@pytest.mark.rule("C-15")
@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (HEAD + b"Content-Length: 10\r\n\r\n", MirrorFailed),
        (HEAD + b"\r\n" + b"x" * 10, MirrorFailed),
        (HEAD + b"Content-Length: 9\r\n\r\nsome", MirrorUnreachable),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n4\r\nsome\r\n", MirrorUnreachable),
    ],
    ids=["too long", "too much", "too short", "cut"],
)
async def test_too_much_and_too_little_are_refused(reply: bytes, error: type[AttemptError]) -> None:
    async with (
        replying(reply) as url,
        aiohttp.ClientSession() as session,
        session.get(url) as response,
    ):
        with pytest.raises(error):
            await read_body(response, limit=9, stall_s=5)


async def test_a_body_that_stands_still_is_given_up() -> None:
    async with FakeRegistry() as registry, aiohttp.ClientSession() as session:
        digest = registry.put_blob("pause", b"something")
        registry.fault(Fault("stall", after_bytes=4))
        async with session.get(f"{registry.url}/v2/pause/blobs/{digest}") as response:
            with pytest.raises(MirrorSilent, match=r"nothing for 0\.02 s"):
                await read_body(response, limit=9, stall_s=0.02)
            response.close()
