"""Requests at a fixed rate over one connection, each timed from when it was due.

Run as `python steady.py HOST PORT TARGET RATE`: it asks until its standard input ends and prints
one JSON list of [due, seconds], `due` by the system's monotonic clock. One that is late because an
answer before it was slow counts from when it should have been sent, as a client of its own would
have felt it; so a pause of the server is in as many figures as it is long. Blocking calls: the
time that an event loop needs to come round is none of the server's.
"""

from __future__ import annotations

import asyncio
import json
import math
import select
import socket
import sys
import time
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

_STOP_S = 10.0


@dataclass(frozen=True, slots=True)
class Percentiles:
    """How long answers took, in seconds, and how many they were."""

    count: int
    p50_s: float
    p99_s: float
    most_s: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Percentiles:
        """Those of at least one answer."""
        ranked = sorted(seconds)

        def at(share: float) -> float:
            return ranked[max(0, math.ceil(share * len(ranked)) - 1)]

        return cls(len(ranked), at(0.5), at(0.99), ranked[-1])


@dataclass(slots=True)
class Steady:
    """What the process has seen; complete once its context has ended."""

    pid: int
    answers: list[tuple[float, float]] = field(default_factory=list)

    def between(self, begin: float, end: float) -> Percentiles:
        """Of the requests that were due in that time by `time.monotonic`."""
        return self.during([(begin, end)])

    def during(self, times: Sequence[tuple[float, float]]) -> Percentiles:
        """As `between`, of several times together."""
        return Percentiles.of(
            [
                seconds
                for due, seconds in self.answers
                if any(begin <= due < end for begin, end in times)
            ]
        )


@asynccontextmanager
async def steadily(url: str, rate: float) -> AsyncIterator[Steady]:
    """Ask for `url` in a process of its own until the context ends; RuntimeError if it failed."""
    parts = urlsplit(url)
    target = f"{parts.path}?{parts.query}" if parts.query else parts.path
    arguments = (str(parts.hostname), str(parts.port), target, str(rate))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, __file__, *arguments), stdin=PIPE, stdout=PIPE
    )
    steady = Steady(process.pid)
    try:
        yield steady
        async with asyncio.timeout(_STOP_S):
            out, _ = await process.communicate(b"")
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise RuntimeError(f"the steady client of {url} failed")
    steady.answers = [(due, seconds) for due, seconds in json.loads(out)]


def _ask(connection: socket.socket, request: bytes) -> None:
    connection.sendall(request)
    received = b""
    while (end := received.find(b"\r\n\r\n")) < 0:
        received += _some(connection)
    head = received[:end].lower()
    if not head.startswith(b"http/1.1 200"):
        raise RuntimeError(head.decode())
    length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
    missing = end + 4 + length - len(received)
    while missing > 0:
        missing -= len(_some(connection))


def _some(connection: socket.socket) -> bytes:
    data = connection.recv(1 << 16)
    if not data:
        raise RuntimeError("the connection ended")
    return data


def _ended() -> bool:
    readable, _, _ = select.select([sys.stdin], [], [], 0)
    return bool(readable)


def main(host: str, port: str, target: str, rate: str) -> None:
    """Ask until told to end."""
    request = f"GET {target} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode()
    answers: list[tuple[float, float]] = []
    with socket.create_connection((host, int(port))) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _ask(connection, request)
        due = time.monotonic()
        while not _ended():
            due += 1 / float(rate)
            if (early := due - time.monotonic()) > 0:
                time.sleep(early)
            _ask(connection, request)
            answers.append((due, time.monotonic() - due))
    print(json.dumps([(round(due, 6), round(seconds, 7)) for due, seconds in answers]))


if __name__ == "__main__":
    main(*sys.argv[1:])
