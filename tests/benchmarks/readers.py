"""Many clients of one blob in one process: `python readers.py URL COUNT FILE`.

Every byte received is compared with FILE, which holds the blob as the origin has it: as strong as
a digest and ten times cheaper, so the readers do not slow what they measure. All connections are
open before the first request leaves; times count from the moment the requests are sent. One JSON
list of `Reading` is printed.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

BUFFER_BYTES = 256 * 1024
_HEADER_LIMIT_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Reading:
    """How one client fared; `problem` is empty when it got every byte right.

    Without a first byte `first_byte_s` is as long as the whole attempt.
    """

    first_byte_s: float
    seconds: float
    received: int
    problem: str


class Reader(asyncio.BufferedProtocol):
    """One HTTP/1.1 GET over one connection, its body compared as it arrives."""

    def __init__(self, expected: bytes, buffer: memoryview) -> None:
        self._expected = expected
        self._buffer = buffer
        self._head = b""
        self._in_body = False
        self._received = 0
        self._started = time.perf_counter()
        self._first: float | None = None
        self._transport: asyncio.Transport | None = None
        self.done: asyncio.Future[Reading] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def send(self, request: bytes) -> None:
        assert self._transport is not None
        self._started = time.perf_counter()
        self._transport.write(request)

    def get_buffer(self, sizehint: int) -> memoryview:
        # One buffer for all: what is in it is used up before the loop reads the next socket.
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        if self._in_body:
            self._take(self._buffer[:nbytes])
            return
        self._head += bytes(self._buffer[:nbytes])
        head, blank, body = self._head.partition(b"\r\n\r\n")
        if not blank:
            if len(self._head) > _HEADER_LIMIT_BYTES:
                self._finish("endless headers")
            return
        lines = head.decode("latin-1").lower().split("\r\n")
        if lines[0].split(" ")[1] != "200":
            self._finish(lines[0])
        elif f"content-length: {len(self._expected)}" not in lines:
            self._finish("not the blob's Content-Length")
        else:
            self._in_body = True
            self._take(memoryview(body))

    def _take(self, data: memoryview) -> None:
        if not data:
            return
        if self._first is None:
            self._first = time.perf_counter()
        if not self._expected.startswith(data, self._received):
            self._finish(f"wrong bytes after {self._received}")
            return
        self._received += len(data)
        if self._received == len(self._expected):
            self._finish("")

    def connection_lost(self, exc: Exception | None) -> None:
        self._finish(f"connection lost: {exc}")

    def _finish(self, problem: str) -> None:
        if self.done.done():
            return
        now = time.perf_counter()
        first = now if self._first is None else self._first
        self.done.set_result(
            Reading(first - self._started, now - self._started, self._received, problem)
        )
        assert self._transport is not None
        self._transport.abort()


async def read(url: str, count: int, expected: bytes) -> list[Reading]:
    """Fetch `url` with `count` clients at once."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    request = f"GET {target} HTTP/1.1\r\nHost: {parts.netloc}\r\nAccept: */*\r\n\r\n".encode()
    buffer = memoryview(bytearray(BUFFER_BYTES))
    loop = asyncio.get_running_loop()
    readers = [
        (
            await loop.create_connection(
                lambda: Reader(expected, buffer), parts.hostname, parts.port
            )
        )[1]
        for _ in range(count)
    ]
    for reader in readers:
        reader.send(request)
    return [await reader.done for reader in readers]


def main(url: str, count: str, file: str) -> None:
    readings = asyncio.run(read(url, int(count), Path(file).read_bytes()))
    print(json.dumps([asdict(reading) for reading in readings]))


if __name__ == "__main__":
    main(*sys.argv[1:])
