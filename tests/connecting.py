"""A MirrorClient on some url, opened and closed around a test."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from entrepot.config import MirrorSettings, TimeoutSettings
from entrepot.upstream.mirror import MirrorClient
from fakes.wire import drained


@asynccontextmanager
async def connected(
    url: str, *, stall_s: float = 5.0, **settings: object
) -> AsyncIterator[MirrorClient]:
    """The client of a mirror of registry.example; `settings` as in the configuration file."""
    mirror = MirrorSettings.model_validate({"url": url, **settings})
    client = MirrorClient("registry.example", mirror, TimeoutSettings(stall=stall_s))
    await client.start()
    try:
        yield client
    finally:
        await client.aclose()


@asynccontextmanager
async def replying(*replies: bytes, reset: bool = False) -> AsyncIterator[str]:
    """A url that answers its requests with these bytes, one connection each, and hangs up.

    With `reset` it is the kernel that breaks the connection off, once all bytes were sent.
    """
    left = list(replies)
    busy: set[asyncio.Task[None]] = set()

    async def reply(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        busy.add(task)
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(left.pop(0))
            with suppress(ConnectionError):  # who asked may leave before the end of a long one
                await writer.drain()
            if reset:
                await drained(writer.transport)
                linger = struct.pack("ii", 1, 0)
                writer.get_extra_info("socket").setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, linger
                )
        finally:
            writer.close()
            busy.discard(task)

    server = await asyncio.start_server(reply, "127.0.0.1", 0)
    try:
        host, port = server.sockets[0].getsockname()
        yield f"http://{host}:{port}"
    finally:
        server.close()
        await server.wait_closed()
        if busy:
            await asyncio.wait(busy, timeout=5)
        assert not busy
