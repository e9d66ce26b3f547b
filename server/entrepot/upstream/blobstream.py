"""The bytes of a blob as they arrive from a mirror."""

from __future__ import annotations

import asyncio

import aiohttp

from entrepot.errors import AttemptError, MirrorLied, MirrorSilent, MirrorUnreachable
from entrepot.upstream.breakage import translate
from entrepot.upstream.directbody import DirectBody, take_over
from entrepot.upstream.librarybody import PIECE_BYTES, LibraryBody
from entrepot.upstream.passage import Passage
from entrepot.upstream.piece import Piece


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
        self._body: LibraryBody | DirectBody | None = None

    def __repr__(self) -> str:
        state = "ended" if self._ended else "closed" if self._response.closed else "open"
        return f"<BlobStream {state} at {self._position} of {self.size}>"

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

    async def _receive(self) -> Piece:
        passage = self._passage
        limit = min(PIECE_BYTES, passage.piece_bytes)
        began = asyncio.get_running_loop().time()
        try:
            if self._body is None:
                self._body = self._begin(limit)
            piece = self._body.take(limit)
            if not piece:
                with passage.waiting():
                    piece = await self._arrival(self._body, limit)
        except TimeoutError as error:
            silent = MirrorSilent(f"sent nothing for {self._stall_s:g} s at byte {self._position}")
            raise self._failed(silent) from error
        except (aiohttp.ClientError, OSError, RuntimeError) as error:
            if isinstance(error, aiohttp.ClientPayloadError) and self._missing():
                raise self._failed(self._early()) from error
            raise self._failed(translate(error, self._response.url.host or "")) from error
        passage.received(len(piece), began)
        return piece

    def _begin(self, limit: int) -> LibraryBody | DirectBody:
        direct = take_over(self._response, limit) if limit == PIECE_BYTES else None
        return direct or LibraryBody(self._response)

    async def _arrival(self, body: LibraryBody | DirectBody, limit: int) -> Piece:
        while True:
            try:
                async with asyncio.timeout(self._stall_s):
                    return await body.arrival(limit)
            except TimeoutError:
                if body.reading:
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
