"""A client of bare sockets: what a server really puts on the wire, and how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field


@dataclass(slots=True)
class Wire:
    """One connection. Reads raise ConnectionResetError on RST; b"" is a clean end."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)

    async def ask(self, target: str, method: str = "GET", **headers: str) -> None:
        """Send a request and read the status line and headers of its answer."""
        await self.send(target, method, **headers)
        head = await self.reader.readuntil(b"\r\n\r\n")
        first, *lines = head.decode().strip().split("\r\n")
        self.status = int(first.split()[1])
        self.headers = {
            name.lower(): value.strip() for name, _, value in (one.partition(":") for one in lines)
        }

    async def send(self, target: str, method: str = "GET", **headers: str) -> None:
        """Send a request."""
        lines = [f"{method} {target} HTTP/1.1", "Host: fake"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self.writer.write("\r\n".join([*lines, "", ""]).encode())
        await self.writer.drain()

    async def rest(self) -> bytes:
        """Everything until the server ends the connection cleanly."""
        return await self.reader.read()

    async def body(self) -> bytes:
        """As many bytes as Content-Length says."""
        return await self.reader.readexactly(int(self.headers["content-length"]))

    async def nothing_within(self, seconds: float) -> bool:
        """Whether the line stays silent, and open, for that long."""
        try:
            async with asyncio.timeout(seconds):
                await self.reader.read(1)
        except TimeoutError:
            return True
        return False


@asynccontextmanager
async def wire(port: int) -> AsyncIterator[Wire]:
    """A connection to 127.0.0.1, closed at the end however it ended."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Wire(reader, writer)
    finally:
        writer.transport.abort()
        # It raises again the reset that a test has looked at already.
        with suppress(ConnectionError):
            await writer.wait_closed()
