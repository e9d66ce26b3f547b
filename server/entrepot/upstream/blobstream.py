"""The bytes of a blob as they arrive from a mirror."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import aiohttp

from entrepot.errors import AttemptError, MirrorLied, MirrorSilent, MirrorUnreachable
from entrepot.upstream.breakage import translate
from entrepot.upstream.directbody import DirectBody
from entrepot.upstream.librarybody import PIECE_BYTES, LibraryBody
from entrepot.upstream.passage import Passage
from entrepot.upstream.piece import Piece
from entrepot.upstream.socketbody import SocketBody
from entrepot.upstream.takeover import take_over

Body = LibraryBody | DirectBody | SocketBody
T = TypeVar("T")
Receive = Callable[[], tuple[memoryview, Callable[[], None]]]


class BlobStream:
    """Reads a blob from `start` to `stop`; `size` is the whole blob's. None: nobody said.

    The bytes are not verified here. One reader at a time; whoever opened it closes it.
    """

    def __init__(
        self,
        response: aiohttp.ClientResponse,
        *,
        start: int,
        stop: int | None,
        size: int | None,
        skip: int,
        stall_s: float,
        passage: Passage,
    ) -> None:
        """`skip` bytes at the beginning of the body are thrown away. `passage` is closed too."""
        self.start = start
        self.stop = stop
        self.size = size
        self._response = response
        self._skip = skip
        self._stall_s = stall_s
        self._passage = passage
        self._position = start
        self._ended = False
        self._began = 0.0
        self._body: Body | None = None

    def __repr__(self) -> str:
        state = "ended" if self._ended else "closed" if self._response.closed else "open"
        return f"<BlobStream {state} at {self._position} of {self.size}>"

    @property
    def ended(self) -> bool:
        """Whether everything was read, and it was all there is."""
        return self._ended

    async def read(self) -> bytes:
        """Tell the next bytes in one object of their own; b"" at the true end. See `read_piece`."""
        piece = await self.read_piece()
        data = b"".join(piece.buffers)
        piece.done()
        return data

    async def read_piece(self) -> Piece:
        """Tell the next bytes as they arrived, 1 MiB at most; none at the true end.

        Putting them together would cost a copy of everything that is ever fetched. Waits first
        while the mirror's bandwidth is used up. MirrorSilent when nothing comes for the stall time,
        MirrorUnreachable when it ends or breaks off early, MirrorLied when more comes than there
        is. May be cancelled, and then called anew.
        """
        while not self._ended:
            await self._passage.ready()
            piece = await self._receive()
            if not piece:
                self._end()
                break
            if self._skip:
                skipped = min(self._skip, len(piece))
                self._skip -= skipped
                piece = piece.after(skipped)
                if not piece:
                    continue
            self._position += len(piece)
            if self.stop is not None and self._position > self.stop:
                raise self._failed(MirrorLied(f"sends more than up to byte {self.stop}"))
            return piece
        return Piece()

    async def aclose(self) -> None:
        """Give the connection back if the body was read to its end, else drop it; never raises."""
        if self._body is not None:
            self._body.close()
        if self._ended and (self._body is None or self._body.reusable):
            self._response.release()
        else:
            self._response.close()
        self._passage.close()

    async def receiver(self, limit: int) -> Receive | None:
        """Wait for bytes that can be received on the thread that uses them, `limit` at most.

        None where only `read_piece` has them. What it returns is called on any thread, until it
        gives nothing or as long as one likes, and then `received` with how many bytes it gave in
        all. It raises nothing; here and in `received` errors are as in `read_piece`.
        """
        if self._skip:
            return None
        await self._passage.ready()
        with self._failing():
            if self._body is None:
                self._body = self._begin(self._limit)
            if not isinstance(self._body, SocketBody):
                return None
            body = self._body
            self._began = asyncio.get_running_loop().time()
            with self._passage.waiting():
                await self._patiently(body.ready)
        left = min(limit, self._passage.piece_bytes) if self._passage.paced else limit

        def receive() -> tuple[memoryview, Callable[[], None]]:
            nonlocal left
            data, done = body.receive(left)
            left -= len(data)
            return data, done

        return receive

    def received(self, count: int) -> None:
        """Account for what `receiver` led to."""
        assert isinstance(self._body, SocketBody)
        self._position += count
        self._passage.received(count, self._began)
        if not count:
            with self._failing():
                self._body.check()
            if self._body.at_end:
                self._end()

    async def _receive(self) -> Piece:
        passage = self._passage
        began = asyncio.get_running_loop().time()
        with self._failing():
            if self._body is None:
                self._body = self._begin(self._limit)
            body, limit = self._body, self._limit
            piece = body.take(limit)
            if not piece:
                with passage.waiting():
                    piece = await self._patiently(lambda: body.arrival(limit))
        passage.received(len(piece), began)
        return piece

    @property
    def _limit(self) -> int:
        return min(PIECE_BYTES, self._passage.piece_bytes)

    @contextmanager
    def _failing(self) -> Iterator[None]:
        """Translate what can go wrong on a connection."""
        try:
            yield
        except TimeoutError as error:
            silent = MirrorSilent(f"sent nothing for {self._stall_s:g} s at byte {self._position}")
            raise self._failed(silent) from error
        except (aiohttp.ClientError, OSError, RuntimeError) as error:
            if isinstance(error, aiohttp.ClientPayloadError) and self._missing():
                raise self._failed(self._early()) from error
            raise self._failed(translate(error, self._response.url.host or "")) from error

    def _begin(self, limit: int) -> Body:
        direct = take_over(self._response, limit) if limit == PIECE_BYTES else None
        return direct or LibraryBody(self._response)

    async def _patiently(self, wait: Callable[[], Awaitable[T]]) -> T:
        """Wait for the mirror as long as it may take, and for memory as long as that takes."""
        while True:
            try:
                async with asyncio.timeout(self._stall_s):
                    return await wait()
            except TimeoutError:
                if self._body is None or self._body.reading:
                    raise

    def _end(self) -> None:
        if self._skip or self._missing():
            raise self._failed(self._early())
        self._ended = True

    def _missing(self) -> int:
        return 0 if self.stop is None else self.stop - self._position

    def _early(self) -> MirrorUnreachable:
        missing = self._missing() + self._skip
        return MirrorUnreachable(f"ended {missing} bytes early, at byte {self._position}")

    def _failed(self, error: AttemptError) -> AttemptError:
        self._response.close()
        self._passage.failed(error)
        return error
