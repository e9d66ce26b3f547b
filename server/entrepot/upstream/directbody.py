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

    @property
    def reading(self) -> bool:
        """Whether bytes would be taken if they came; else it is others that keep the buffers."""
        return self._filling is not None or not self._buffers.empty

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

    def get_buffer(self, sizehint: int) -> memoryview:
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
    """Take the connection of `response` over, if much is still to come and it is known how much."""
    length = parse_length(response.headers.get("Content-Length"))
    connection = response.connection
    transport = connection.transport if connection is not None else None
    library = connection.protocol if connection is not None else None
    content = response.content
    left = (length or 0) - content.total_bytes
    plain = "Transfer-Encoding" not in response.headers and content.exception() is None
    if transport is None or library is None or not plain or left < LONG_BYTES:
        return None
    early = []
    transport.pause_reading()
    while data := content.read_nowait():
        early.append(data)
    left = (length or 0) - content.total_bytes
    if transport.is_closing() or content.is_eof() or left <= 0:
        raise AssertionError
    body = DirectBody(transport, library, left, limit)
    body.start(early)
    return body
