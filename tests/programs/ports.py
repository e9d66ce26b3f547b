"""Free ports for programs that must be told theirs beforehand."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from types import TracebackType
from typing import Self


class Port:
    """A port on 127.0.0.1 that stays ours: over restarts, and while nothing listens.

    The socket here is bound and never listens. A program that sets SO_REUSEADDR, as asyncio and Go
    do, can listen on the port all the same; the kernel gives it to nobody else. Close it.
    """

    def __init__(self) -> None:
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", 0))
        self.number: int = self._socket.getsockname()[1]

    def __str__(self) -> str:
        return f"127.0.0.1:{self.number}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the port back."""
        self._socket.close()

    async def is_open(self) -> bool:
        """Whether somebody listens there."""
        with suppress(ConnectionError):
            _, writer = await asyncio.open_connection("127.0.0.1", self.number)
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()
            return True
        return False

    async def status_of(self, path: str) -> int | None:
        """The status a GET of `path` gets there; None while nobody answers."""
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            reader, writer = await asyncio.open_connection("127.0.0.1", self.number)
            try:
                writer.write(
                    f"GET {path} HTTP/1.1\r\nHost: {self}\r\nConnection: close\r\n\r\n".encode()
                )
                return int((await reader.readuntil(b"\r\n")).split()[1])
            finally:
                writer.close()
                await writer.wait_closed()
        return None
