"""An HTTP/1.1 client of bare sockets: it adds nothing to a request and hides nothing of an answer.

What real clients send is written to the socket byte for byte; what comes back is kept as it came,
so that a test sees a header that is there twice, a byte too many, or a body that ends early.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

Headers = tuple[tuple[str, str], ...]

_WAIT_S = 20.0
_LIMIT_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer as it came. `whole` is false when the connection ended inside the body."""

    version: str
    status: int
    headers: Headers
    body: bytes = b""
    whole: bool = True

    def all(self, name: str) -> list[str]:
        """The values of every header line of that name."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def header(self, name: str) -> str | None:
        """The value of a header that may be there once; AssertionError when it is there twice."""
        values = self.all(name)
        assert len(values) <= 1, f"{name} twice: {values}"
        return values[0] if values else None

    @property
    def length(self) -> int | None:
        """What Content-Length says."""
        text = self.header("Content-Length")
        return int(text) if text is not None else None


@dataclass(slots=True)
class Client:
    """One connection. Reads raise TimeoutError rather than wait for ever."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    host: str

    async def send(self, method: str, target: str, *headers: tuple[str, str]) -> None:
        """Send a request; a Host header is put in front unless there is one."""
        lines = [f"{method} {target} HTTP/1.1"]
        if not any(name.lower() == "host" for name, _ in headers):
            lines.append(f"Host: {self.host}")
        lines += [f"{name}: {value}" for name, value in headers]
        await self.send_bytes("\r\n".join([*lines, "", ""]).encode("latin-1"))

    async def send_bytes(self, data: bytes) -> None:
        """Send these bytes and nothing else."""
        self.writer.write(data)
        await self.writer.drain()

    async def hear_head(self) -> Answer:
        """The status line and the headers of the next answer; ConnectionError when none comes."""
        try:
            async with asyncio.timeout(_WAIT_S):
                head = await self.reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as error:
            raise ConnectionError(f"the connection ended after {error.partial!r}") from error
        first, *lines = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
        version, status, *_ = first.split(" ", 2)
        assert version.startswith("HTTP/1."), f"not an answer: {head!r}"
        pairs = (line.partition(":") for line in lines)
        return Answer(version, int(status), tuple((k, v.strip()) for k, _, v in pairs))

    async def hear(self, method: str = "GET") -> Answer:
        """The next answer, body and all, to a request made with `method`."""
        head = await self.hear_head()
        if method == "HEAD":
            return head
        body, whole = await self._body(head)
        return Answer(head.version, head.status, head.headers, body, whole)

    async def ask(self, method: str, target: str, *headers: tuple[str, str]) -> Answer:
        """Send a request and hear its answer."""
        await self.send(method, target, *headers)
        return await self.hear(method)

    async def hear_bytes(self, count: int) -> bytes:
        """Exactly so many bytes of a body; fewer only when the connection ends before."""
        async with asyncio.timeout(_WAIT_S):
            with suppress(ConnectionResetError):
                try:
                    return await self.reader.readexactly(count)
                except asyncio.IncompleteReadError as error:
                    return error.partial
        return b""

    async def hear_rest(self) -> bytes:
        """Everything until the connection ends, whichever way."""
        pieces = []
        async with asyncio.timeout(_WAIT_S):
            with suppress(ConnectionResetError):
                while piece := await self.reader.read(_LIMIT_BYTES):
                    pieces.append(piece)
        return b"".join(pieces)

    def leave(self) -> None:
        """Be gone at once, like a process that was killed."""
        self.writer.transport.abort()

    async def _body(self, head: Answer) -> tuple[bytes, bool]:
        if head.header("Transfer-Encoding") == "chunked":
            return await self._chunks()
        if head.length is None:
            return await self.hear_rest(), True
        body = await self.hear_bytes(head.length)
        return body, len(body) == head.length

    async def _chunks(self) -> tuple[bytes, bool]:
        pieces = []
        try:
            async with asyncio.timeout(_WAIT_S):
                while size := int(await self.reader.readuntil(b"\r\n"), 16):
                    pieces.append(await self.reader.readexactly(size + 2))
                await self.reader.readuntil(b"\r\n")
        except (asyncio.IncompleteReadError, ConnectionResetError):
            return b"".join(piece.removesuffix(b"\r\n") for piece in pieces), False
        return b"".join(piece[:-2] for piece in pieces), True


@asynccontextmanager
async def client(address: str) -> AsyncIterator[Client]:
    """A connection to host:port; closed at the end, however it stands."""
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port), limit=_LIMIT_BYTES)
    try:
        yield Client(reader, writer, address)
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def ask(address: str, method: str, target: str, *headers: tuple[str, str]) -> Answer:
    """One request on a connection of its own."""
    async with client(address) as one:
        return await one.ask(method, target, *headers)
