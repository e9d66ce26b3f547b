"""The body of an answer taken straight off its connection, into memory that is used again.

The library's parser makes two objects of every byte that comes, and the pages of each are found and
cleared anew: for a long body of known length that is most of the work there is.
"""

from __future__ import annotations

import asyncio
from collections import deque
from functools import partial

import aiohttp

from entrepot.upstream.blobanswer import parse_length
from entrepot.upstream.buffers import BUFFER_BYTES, Buffers
from entrepot.upstream.piece import Piece

LONG_BYTES = 32 << 20
"""With less than this to come the connection is worth more than what is saved."""


class DirectBody(asyncio.BufferedProtocol):
    """Has the connection of an answer to itself from `take_over` on; it serves no other request.

    Reads ahead as far as it has buffers. The response is closed as ever: the library's protocol
    still owns the transport, and hears from here that it was lost.
    """

    def __init__(
        self, transport: asyncio.Transport, library: asyncio.BaseProtocol, left: int, limit: int
    ) -> None:
        self._transport = transport
        self._library = library
        self._left = left
        self._limit = limit
        self._buffers = Buffers(self._resume)
        self._filling: bytearray | None = None
        self._filled = 0
        self._ready: deque[Piece] = deque()
        self._lost = False
        self._waiter: asyncio.Future[None] | None = None

    reusable = False

    @property
    def reading(self) -> bool:
        """Whether bytes would be taken if they came; else it is others that keep the buffers."""
        return self._filling is not None or not self._buffers.empty

    def take(self, limit: int) -> Piece:
        """Take what need not be waited for: a buffer that is full, or the last."""
        self._limit = limit
        return self._ready.popleft() if self._ready else Piece()

    async def arrival(self, limit: int) -> Piece:
        """Wait for bytes and take them, at most one buffer; none at the end or after a break."""
        self._limit = limit
        while not (self._ready or self._filled or self._lost or not self._left):
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        seen = 0
        while not self._ready and seen < self._filled < limit:
            seen = self._filled
            await asyncio.sleep(0)  # see LibraryBody
        if not self._ready and self._filled:
            self._put_aside()
            self._resume()
        return self._ready.popleft() if self._ready else Piece()

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002
        """Say where the next bytes go: never more than are this body's."""
        if self._filling is None:
            self._filling, self._filled = self._buffers.take(), 0
        stop = max(self._filled + 1, min(self._filled + self._left, self._limit, BUFFER_BYTES))
        return memoryview(self._filling)[self._filled : stop]

    def buffer_updated(self, nbytes: int) -> None:
        """Take note of bytes that came."""
        self._filled += nbytes
        self._left -= nbytes
        if not self._left or self._filled >= min(self._limit, BUFFER_BYTES):
            self._put_aside()
            if not self._left or self._buffers.empty:
                self._transport.pause_reading()
        self._wake()

    def close(self) -> None:
        """Read no more, and let go of the memory: too much to leave to the garbage collector."""
        self._transport.pause_reading()
        self._left, self._filling, self._filled = 0, None, 0
        self._ready.clear()
        self._buffers.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that nothing more will come; the library waits for this when it closes."""
        self._lost = True
        self._wake()
        self._library.connection_lost(exc)

    def start(self, early: list[bytes]) -> None:
        """Begin to read, after what the library had read already."""
        self._ready.extend(Piece((data,)) for data in early)
        self._transport.set_protocol(self)
        self._transport.resume_reading()

    def _put_aside(self) -> None:
        assert self._filling is not None
        buffer, self._filling = self._filling, None
        view = memoryview(buffer)[: self._filled]
        self._filled = 0
        self._ready.append(Piece((view,), partial(self._buffers.give_back, buffer)))

    def _resume(self) -> None:
        if self._left and not self._lost and self.reading:
            self._transport.resume_reading()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


def take_over(response: aiohttp.ClientResponse, limit: int) -> DirectBody | None:
    """Take the connection of `response` over, if much is still to come and it is known how much.

    Nothing may have been read of the body yet.
    """
    length = parse_length(response.headers.get("Content-Length")) or 0
    connection, content = response.connection, response.content
    coded = "Transfer-Encoding" in response.headers or "Content-Encoding" in response.headers
    if connection is None or coded or length - content.total_bytes < LONG_BYTES:
        return None
    transport, library = connection.transport, connection.protocol
    if transport is None or library is None or transport.is_closing() or content.exception():
        return None
    # Reading here makes the library parse what it had put off, and resume; nothing more can come
    # in between, that would take a turn of the loop.
    early = []
    while data := content.read_nowait():
        early.append(data)
    body = DirectBody(transport, library, length - content.total_bytes, limit)
    body.start(early)
    return body
