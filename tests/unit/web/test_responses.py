"""The heads of answers, and bodies that come whole or are cut."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import pytest
from aiohttp import web

from entrepot.config import ClientSettings
from entrepot.errors import TransferBroken
from entrepot.mirror.names import ImageName
from entrepot.oci.byterange import ByteRange
from entrepot.oci.digest import Digest
from entrepot.oci.manifest import Manifest
from entrepot.oci.mediatype import OCI_INDEX
from entrepot.oci.reference import RepositoryName
from entrepot.web.exchange import Exchange
from entrepot.web.responses import blob_headers, manifest_headers, reply, send_blob, warning
from fakes.images import blob
from wire.client import Answer, ask

DIGEST = Digest.of(b"x")
DATA = blob(3_000_000)


def image_name(*, via_ns: bool) -> ImageName:
    pause = RepositoryName("pause")
    return ImageName("registry.k8s.io", "k8s.gcr.io", pause, "pause", via_ns, "/v2/")


@pytest.mark.rule("S-6", "C-13", "C-14")
@pytest.mark.parametrize("via_ns", [True, False])
def test_manifest_headers(via_ns: bool) -> None:
    headers = manifest_headers(image_name(via_ns=via_ns), Manifest(DIGEST, OCI_INDEX, b"{}"), "hit")
    expected = {
        "Content-Type": OCI_INDEX,
        "Docker-Content-Digest": str(DIGEST),
        "ETag": f'"{DIGEST}"',
        "Entrepot-Source": "hit",
        "Docker-Distribution-Api-Version": "registry/2.0",
        "Server": "entrepot",
    }
    assert headers == expected | ({"OCI-Namespace": "k8s.gcr.io"} if via_ns else {})


@pytest.mark.rule("L-8", "T-5", "Q-1")
@pytest.mark.parametrize(
    ("size", "part", "length", "span"),
    [
        (10, None, "10", None),
        (10, ByteRange(2, 5), "3", "bytes 2-4/10"),
        (0, None, "0", None),
        (None, None, None, None),
    ],
)
def test_blob_headers(
    size: int | None, part: ByteRange | None, length: str | None, span: str | None
) -> None:
    headers = blob_headers(image_name(via_ns=True), DIGEST, size, part, "miss")
    assert headers.get("Content-Length") == length
    assert headers.get("Content-Range") == span
    assert headers["Content-Type"] == "application/octet-stream"
    assert headers["Accept-Ranges"] == "bytes"
    assert headers["Docker-Content-Digest"] == str(DIGEST)


@pytest.mark.rule("N-5")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("as of today", '299 entrepot "as of today"'),
        ('a "quote" and \\', "299 entrepot \"a 'quote' and /\""),
        ("entrepôt", '299 entrepot "entrep?t"'),
    ],
)
def test_a_warning_is_one_quoted_line(text: str, expected: str) -> None:
    assert warning(text) == expected


def test_a_warning_stays_short_and_on_one_line() -> None:
    assert len(warning("x" * 10_000)) < 4096
    assert warning("one\r\nX-Injected: two").isprintable()


@dataclass(slots=True)
class GrowingFile:
    """A reader of a file of which more is told at each wait; then `end`, if that is an error."""

    file: BinaryIO
    size: int | None
    stops: list[int]
    end: Exception | None = None
    source: str = "fill"
    mirror: str = "a.example"
    whole: bool = False
    closed: bool = False
    suspected: bool = False
    waits: list[int] = field(default_factory=list)

    async def wait(self, offset: int) -> int:
        self.waits.append(offset)
        await asyncio.sleep(0)
        while self.stops:
            if (stop := self.stops.pop(0)) > offset:
                return stop
        if self.end is not None:
            raise self.end
        return offset

    def failed(self) -> None:
        self.suspected = True

    def close(self) -> None:
        self.closed = True


@asynccontextmanager
async def sending(
    reader: GrowingFile, part: ByteRange | None = None
) -> AsyncIterator[tuple[str, Exchange]]:
    """The address of a server that sends what `reader` has, and its exchange."""
    exchange = Exchange("GET", "/", "127.0.0.1", 0.0)

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        headers = blob_headers(image_name(via_ns=False), DIGEST, reader.size, part, "fill")
        response = web.StreamResponse(status=200 if part is None else 206, headers=headers)
        await send_blob(
            request, response, reader, part, exchange, patience_s=ClientSettings().patience_s
        )
        return response

    runner = web.ServerRunner(web.Server(handle, access_log=None), handle_signals=False)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"127.0.0.1:{runner.addresses[0][1]}", exchange
    finally:
        await runner.cleanup()


@pytest.fixture
def file(tmp_path: Path) -> BinaryIO:
    path = tmp_path / "data"
    path.write_bytes(DATA)
    return path.open("rb", buffering=0)


async def sent(reader: GrowingFile, part: ByteRange | None = None) -> tuple[Answer, Exchange]:
    async with sending(reader, part) as (address, exchange):
        got = await ask(address, "GET", "/")
    reader.file.close()
    return got, exchange


async def test_a_file_that_grows_is_sent_as_it_grows(file: BinaryIO) -> None:
    reader = GrowingFile(file, len(DATA), [1000, 500_000, len(DATA)])
    got, exchange = await sent(reader)
    assert (got.whole, got.body == DATA, exchange.sent_bytes) == (True, True, len(DATA))
    assert (reader.waits, reader.suspected) == ([0, 1000, 500_000], False)


async def test_only_the_part_is_sent_and_waited_for(file: BinaryIO) -> None:
    reader = GrowingFile(file, len(DATA), [2000, 1_000_000, len(DATA)])
    got, exchange = await sent(reader, ByteRange(1500, 900_000))
    assert (got.status, got.body == DATA[1500:900_000]) == (206, True)
    assert exchange.sent_bytes == 898_500
    assert reader.waits == [1500, 2000]


@pytest.mark.rule("T-3", "X-4")
async def test_bytes_that_will_not_come_cut_the_connection(file: BinaryIO) -> None:
    got, exchange = await sent(GrowingFile(file, len(DATA), [1000], TransferBroken("mirror died")))
    assert (got.status, got.length, got.whole) == (200, len(DATA), False)
    assert (exchange.reason, exchange.sent_bytes) == ("mirror died", 1000)


@pytest.mark.rule("T-3")
async def test_a_file_shorter_than_it_was_cuts_the_connection(file: BinaryIO) -> None:
    reader = GrowingFile(file, len(DATA) + 10, [len(DATA) + 10])
    got, exchange = await sent(reader)
    assert (got.whole, reader.suspected) == (False, True)
    assert exchange.reason == "the file is shorter than it was"
    assert reader.suspected


@pytest.mark.rule("T-3", "P4")
@pytest.mark.parametrize("size", [len(DATA), None], ids=["sized", "chunked"])
async def test_a_disk_that_fails_cuts_the_connection_and_says_nothing_in_the_body(
    file: BinaryIO, tmp_path: Path, size: int | None
) -> None:
    with (tmp_path / "data").open("ab", buffering=0) as unreadable:
        reader = GrowingFile(unreadable, size, [len(DATA)])
        got, exchange = await sent(reader)
    file.close()
    assert (got.status, got.whole, got.body) == (200, False, b"")
    assert exchange.reason
    assert reader.suspected


@pytest.mark.rule("Q-1")
async def test_a_length_nobody_knows_is_sent_in_chunks(file: BinaryIO) -> None:
    got, exchange = await sent(GrowingFile(file, None, [1000, len(DATA)]))
    assert got.header("Transfer-Encoding") == "chunked"
    assert (got.length, got.whole, got.body == DATA) == (None, True, True)
    assert exchange.sent_bytes == len(DATA)


@pytest.mark.rule("T-3", "Q-1")
async def test_chunks_never_end_cleanly_when_something_is_missing(file: BinaryIO) -> None:
    got, _ = await sent(GrowingFile(file, None, [1000], TransferBroken("mirror died")))
    assert not got.whole


@pytest.mark.rule("X-1", "X-2", "X-3")
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_reply_from_memory(method: str) -> None:
    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        return reply(request, 200, {"Content-Type": OCI_INDEX}, b"body")

    runner = web.ServerRunner(web.Server(handle, access_log=None), handle_signals=False)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        got = await ask(f"127.0.0.1:{runner.addresses[0][1]}", method, "/")
    finally:
        await runner.cleanup()
    assert (got.header("Content-Type"), got.length) == (OCI_INDEX, 4)
    assert got.body == (b"body" if method == "GET" else b"")
