"""What a port that speaks plain HTTP answers to those who do not (rule C-8)."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from contextlib import suppress
from pathlib import Path

import pytest

from unit.web.serving import serving
from wire.client import client

UNREACHABLE = "http://127.0.0.1:9"


def client_hello() -> bytes:
    """What a TLS client says first."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname="m.example")
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()


NOISE = {
    "TLS ClientHello": [client_hello()],
    "TLS ClientHello in two parts": [client_hello()[:7], client_hello()[7:]],
    "TLS ClientHello byte by byte": [bytes([byte]) for byte in client_hello()[:20]]
    + [client_hello()[20:]],
    "garbage": [b"\x00\x01\x02\x03garbage\r\n\r\n"],
    "SSH": [b"SSH-2.0-OpenSSH_9.2\r\n"],
    "a header without a colon": [b"GET /v2/ HTTP/1.1\r\nHost m\r\n\r\n"],
}


def send_and_hear(address: str, pieces: list[bytes]) -> bytes:
    """What a blocking client hears, whether or not it could send everything."""
    host, _, port = address.rpartition(":")
    heard = b""
    with socket.create_connection((host, int(port)), timeout=10) as one, suppress(ConnectionError):
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with suppress(ConnectionError):
            for piece in pieces:
                one.sendall(piece)
        while more := one.recv(65536):
            heard += more
    return heard


@pytest.mark.rule("C-8", "D-6")
@pytest.mark.parametrize("pieces", NOISE.values(), ids=NOISE.keys())
async def test_whoever_does_not_speak_http_hears_that_we_do(
    pieces: list[bytes], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """containerd's fallback to plain HTTP looks for an answer that begins with HTTP/."""
    async with serving(tmp_path, UNREACHABLE) as served:
        heard = await asyncio.to_thread(send_and_hear, served.address, pieces)
        assert heard.startswith(b"HTTP/1.")
        assert heard.split(b" ")[1] == b"400"
    assert [r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR] == []


@pytest.mark.rule("C-8")
async def test_the_server_goes_on_after_noise(tmp_path: Path) -> None:
    async with serving(tmp_path, UNREACHABLE) as served:
        for pieces in NOISE.values():
            async with client(served.address) as one:
                await one.send_bytes(b"".join(pieces))
        assert (await served.get("/v2/")).status == 200


async def test_a_head_of_headers_without_end_is_refused(tmp_path: Path) -> None:
    async with serving(tmp_path, UNREACHABLE) as served, client(served.address) as one:
        one.writer.write(b"GET /v2/ HTTP/1.1\r\nHost: m\r\nX: " + b"x" * 100_000 + b"\r\n\r\n")
        heard = await one.hear_rest()
        assert heard.split(b" ")[1] in {b"400", b"431"}


async def test_http_1_0_is_answered_and_closed(tmp_path: Path) -> None:
    async with serving(tmp_path, UNREACHABLE) as served, client(served.address) as one:
        await one.send_bytes(b"GET /v2/ HTTP/1.0\r\n\r\n")
        assert (await one.hear()).status == 200
        assert await one.hear_rest() == b""
