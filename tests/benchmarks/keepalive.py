"""A quick HTTP/1.1 client for a load that must not cost more than what it loads."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

_LIMIT_BYTES = 1 << 20
_ANSWER_S = 60.0


@dataclass(frozen=True, slots=True)
class Answer:
    """`head` is all of it in lower case; `whole` is false when the body broke off."""

    status: int
    head: bytes
    body: bytes
    whole: bool = True

    def header(self, name: bytes) -> bytes:
        """The value of the first header of that lower-case name, b"" without one."""
        return self.head.partition(b"\r\n" + name + b":")[2].partition(b"\r\n")[0].strip()


class KeptAlive:
    """One connection after the other to `address`, host:port, each as long as it lasts."""

    def __init__(self, address: str) -> None:
        self._host, _, port = address.rpartition(":")
        self._port = int(port)
        self._after = f" HTTP/1.1\r\nHost: {address}\r\n".encode()
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.leave()

    async def ask(self, method: bytes, target: str, headers: bytes = b"") -> Answer:
        """Send a request, hear the answer; `headers` are whole lines. One reset is forgiven."""
        async with asyncio.timeout(_ANSWER_S):
            for fresh in (False, True):
                try:
                    return await self._ask(method, target, headers)
                except (ConnectionError, asyncio.IncompleteReadError):
                    await self.leave()
                    if fresh:
                        raise
        raise AssertionError("not reached")

    async def begin(self, target: str, count: int) -> int:
        """Ask for `target`, take `count` bytes of the answer, and be gone; the status."""
        async with asyncio.timeout(_ANSWER_S):
            reader, writer = await self._opened()
            writer.write(b"GET " + target.encode() + self._after + b"\r\n")
            try:
                head = await reader.readuntil(b"\r\n\r\n")
                with suppress(asyncio.IncompleteReadError):
                    await reader.readexactly(count)
            finally:
                writer.transport.abort()
                await self.leave()
        return int(head[9:12])

    async def leave(self) -> None:
        """Close the connection, if there is one."""
        streams, self._streams = self._streams, None
        if streams is not None:
            streams[1].close()
            with suppress(ConnectionError):
                await streams[1].wait_closed()

    async def _ask(self, method: bytes, target: str, headers: bytes) -> Answer:
        reader, writer = await self._opened()
        writer.write(method + b" " + target.encode() + self._after + headers + b"\r\n")
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        answer = Answer(int(head[9:12]), head, b"")
        length = int(answer.header(b"content-length") or 0)
        body, whole = b"", True
        if length and method != b"HEAD":
            try:
                body = await reader.readexactly(length)
            except (ConnectionError, asyncio.IncompleteReadError) as error:
                body, whole = getattr(error, "partial", b""), False
        if not whole or answer.header(b"connection") == b"close":
            await self.leave()
        return Answer(answer.status, head, body, whole)

    async def _opened(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams is None:
            self._streams = await asyncio.open_connection(
                self._host, self._port, limit=_LIMIT_BYTES
            )
        return self._streams
