"""The body of a long answer under TLS, into memory that is used again.

The library's parser makes two objects of every byte that comes, and the pages of each are found and
cleared anew: for a long body of known length that is most of the work there is.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Iterable
from functools import partial

from entrepot.upstream.librarybody import PIECE_BYTES
from entrepot.upstream.piece import Piece
from entrepot.upstream.ring import Ring

RING_BYTES = 5 << 20
LARGEST_BYTES = 2 << 20
"""Three pieces then are on their way: one comes in, one is written, one is hashed."""
ENOUGH_BYTES = 1 << 20
"""With so much there it is not worth the while to wait for more."""
WORTHWHILE_BYTES = 256 << 10


class DirectBody(asyncio.BufferedProtocol):
    """Has the connection of an answer to itself from `take_over` on; it serves no other request.

    Reads ahead as far as it has memory, so that pieces grow with what there is to do for each. The
    response is closed as ever: the library's protocol still owns the transport, and hears from here
    that it was lost.
    """

    reusable = False

    def __init__(
        self, transport: asyncio.Transport, library: asyncio.BaseProtocol, left: int, limit: int
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport = transport
        self._library = library
        self._left = left
        self._limit = limit
        self._ring = Ring(RING_BYTES)
        self._early: deque[Piece] = deque()
        self._paused = False
        self._ended = False
        self._waiter: asyncio.Future[None] | None = None

    @property
    def reading(self) -> bool:
        """Whether bytes would be taken if they came; else it is others that keep the memory."""
        return not self._paused

    def start(self, early: Iterable[bytes]) -> None:
        """Begin to read, after what the library had read already."""
        self._early.extend(Piece((data,)) for data in early)
        self._transport.set_protocol(self)
        self._transport.resume_reading()

    def take(self, limit: int) -> Piece:
        """Take what is not worth a wait: a lot, or all that will ever come."""
        self._limit = limit
        if self._early:
            return self._early.popleft()
        if self._ended or not self._left or self._ring.waiting >= min(limit, ENOUGH_BYTES):
            return self._next()
        return Piece()

    async def arrival(self, limit: int) -> Piece:
        """Wait for bytes, then take what is there; none at the end or after a break."""
        self._limit = limit
        while not (self._early or self._ring.waiting or self._ended or not self._left):
            self._waiter = self._loop.create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        seen = 0
        while not self._early and seen < self._ring.waiting < min(limit, ENOUGH_BYTES):
            seen = self._ring.waiting
            await asyncio.sleep(0)  # see LibraryBody
        return self._early.popleft() if self._early else self._next()

    def close(self) -> None:
        """Read no more, and let go of the memory: too much to leave to the garbage collector."""
        self._transport.pause_reading()
        self._paused = self._ended = True
        self._early.clear()
        self._ring.close()

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002
        """Say where the next bytes go: never more than are this body's."""
        return self._ring.room(self._left)

    def buffer_updated(self, nbytes: int) -> None:
        """Take note of bytes that came."""
        self._ring.fill(nbytes)
        self._left -= nbytes
        if not self._left or not self._ring.free or self._ring.waiting >= self._most_ahead:
            self._paused = bool(self._left)
            self._transport.pause_reading()
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that nothing more will come; the library waits for this when it closes."""
        self._ended = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
        self._library.connection_lost(exc)

    @property
    def _paced(self) -> bool:
        return self._limit < PIECE_BYTES

    @property
    def _most_ahead(self) -> int:
        """Under a ceiling little is read before it is asked for."""
        return 2 * self._limit if self._paced else RING_BYTES

    def _next(self) -> Piece:
        if not self._ring.waiting:
            return Piece()
        offset, part = self._ring.take(self._limit if self._paced else LARGEST_BYTES)
        self._resume()
        return Piece((part,), partial(self._give_back, offset, len(part)))

    def _give_back(self, offset: int, count: int) -> None:
        """Called on any thread; when the loop is gone nobody wants the memory."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._take_back, offset, count)

    def _take_back(self, offset: int, count: int) -> None:
        if not (self._paused and self._ended):
            self._ring.give_back(offset, count)
            self._resume()

    def _resume(self) -> None:
        """Read on where that is worth a call: the memory is given back in large parts."""
        enough = self._ring.free >= WORTHWHILE_BYTES and self._ring.waiting < self._most_ahead
        if self._paused and enough and not self._ended:
            self._paused = False
            self._transport.resume_reading()
