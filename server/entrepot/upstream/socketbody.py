"""The body of an answer received by the thread that writes it, straight off the socket.

For a plain connection only: under TLS the bytes exist first in the loop's hands, see `directbody`.
Receiving and writing in one go leaves the loop to those who read, and the bytes in the cache of the
processor that has just copied them.
"""

from __future__ import annotations

import asyncio
import contextlib
import mmap
import socket
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial

from entrepot.upstream.piece import Piece

BUFFER_BYTES = 2 << 20
BUFFERS = 5
"""One is filled, one is hashed, the others are for whoever gets ahead of the other."""


class SocketBody(asyncio.Protocol):
    """Has the connection of an answer to itself from `start` on; it serves no other request.

    Bytes stay in the kernel until `receive`, which works on any thread, one call at a time. The
    transport reads no more; the response is closed as ever, after this.
    """

    reusable = False

    def __init__(
        self, transport: asyncio.Transport, library: asyncio.BaseProtocol, left: int
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport = transport
        self._library = library
        self._left = left
        self._socket: socket.socket = transport.get_extra_info("socket").dup()
        self._socket.setblocking(False)
        self._early: deque[bytes] = deque()
        self._free = [memoryview(mmap.mmap(-1, BUFFER_BYTES)) for _ in range(BUFFERS)]
        self._empty = False
        self._ended = False
        self._closed = False
        self._broken: OSError | None = None
        self._waiter: asyncio.Future[None] | None = None

    @property
    def reading(self) -> bool:
        """Whether it is the mirror that is waited for; else it is others that keep the memory."""
        return bool(self._free)

    def start(self, early: Iterable[bytes]) -> None:
        """Begin, after what the library had read already."""
        self._early.extend(early)
        self._transport.pause_reading()
        self._transport.set_protocol(self)

    def take(self, limit: int) -> Piece:  # noqa: ARG002
        """Take what is not worth a wait: nothing, see `DirectBody`."""
        return Piece()

    async def arrival(self, limit: int) -> Piece:
        """Wait for bytes, then take what is there; none at the end or after a break."""
        while True:
            await self.ready()
            view, done = self.receive(limit)
            if view:
                return Piece((view,), done)
            done()
            self.check()
            if self.at_end:
                return Piece()

    async def ready(self) -> None:
        """Return when `receive` has something to do; may be cancelled."""
        while not self._free:
            await self._woken()
        if not self._idle:
            return
        descriptor = self._socket.fileno()
        self._loop.add_reader(descriptor, self._readable)
        try:
            # Memory that is given back wakes too, and that must not pass for a sign of the mirror.
            while self._idle:
                await self._woken()
        finally:
            self._loop.remove_reader(descriptor)

    @property
    def _idle(self) -> bool:
        """Whether `receive` would find nothing, and more is to come."""
        return self._empty and not self._early and not self._ended and self._left > 0

    def receive(self, limit: int) -> tuple[memoryview, Callable[[], None]]:
        """Take what has come, `limit` bytes at most, and what gives its memory back.

        Nothing when nothing has, all memory is in use, or at the end or a break: `check` tells.
        """
        if self._early:
            first = self._early.popleft()
            if len(first) > limit:
                self._early.appendleft(first[limit:])
            return memoryview(first)[:limit], _nothing
        if not self._free:
            return memoryview(b""), _nothing
        buffer = self._free.pop()
        room = buffer[: min(limit, self._left)]
        count = 0
        try:
            while count < len(room):
                taken = self._socket.recv_into(room[count:])
                if not taken:
                    self._ended = True
                    break
                count += taken
        except (BlockingIOError, InterruptedError):
            self._empty = True
        except OSError as error:
            # What arrived before the break is good; it is told of when that has been taken.
            self._broken, self._ended = error, True
        else:
            self._empty = False
        self._left -= count
        return room[:count], partial(self._give_back, buffer)

    def check(self) -> None:
        """Raise what broke the connection, if anything did."""
        if self._broken is not None:
            raise self._broken

    @property
    def at_end(self) -> bool:
        """Whether nothing will come any more."""
        return not self._early and (self._ended or not self._left)

    def close(self) -> None:
        """Let go of the socket and of the memory; parts that are out stay good."""
        if not self._closed:
            self._closed = self._ended = True
            self._early.clear()
            self._socket.close()
            self._free.clear()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the library, which waits for this when it closes."""
        self._ended = True
        self._wake()
        self._library.connection_lost(exc)

    def _give_back(self, buffer: memoryview) -> None:
        """Called on any thread; the last one given back is the first used again."""
        if self._closed:
            return
        self._free.append(buffer)
        with contextlib.suppress(RuntimeError):  # when the loop is gone nobody waits
            self._loop.call_soon_threadsafe(self._wake)

    def _readable(self) -> None:
        self._empty = False
        self._wake()

    async def _woken(self) -> None:
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


def _nothing() -> None:
    """Memory of the library's own needs no giving back."""
