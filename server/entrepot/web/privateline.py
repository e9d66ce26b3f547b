"""Asking an application without listening anywhere: each connection is a pair of sockets."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web


class PrivateLine:
    """Made by `private_line`; only this process can connect."""

    def __init__(self, server: web.Server) -> None:
        self._server = server

    async def connect(self) -> socket.socket:
        """Give the client's end of a new connection, which blocks; the caller closes it."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        try:
            loop = asyncio.get_running_loop()
            await loop.connect_accepted_socket(self._server, ours)
        except BaseException:
            ours.close()
            theirs.close()
            raise
        return theirs


@asynccontextmanager
async def private_line(application: web.Application) -> AsyncIterator[PrivateLine]:
    """Have `application` answer until the end of the block."""
    runner = web.AppRunner(application, access_log=None, handle_signals=False, shutdown_timeout=1.0)
    await runner.setup()
    try:
        assert runner.server is not None
        yield PrivateLine(runner.server)
    finally:
        await runner.cleanup()
