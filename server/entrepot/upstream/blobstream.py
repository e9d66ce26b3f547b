"""The bytes of a blob as they arrive from a mirror."""

from __future__ import annotations

import asyncio

import aiohttp

from entrepot.errors import AttemptError, MirrorLied, MirrorSilent, MirrorUnreachable
from entrepot.upstream.breakage import translate
from entrepot.upstream.passage import Passage

PIECE_BYTES = 1 << 20


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

    def __repr__(self) -> str:
        state = "ended" if self._ended else "closed" if self._response.closed else "open"
        return f"<BlobStream {state} at {self._position} of {self.size}>"

    async def read(self) -> bytes:
        """Tell the next bytes in one piece; b"" at the true end. See `read_pieces`."""
        return b"".join(await self.read_pieces())

    async def read_pieces(self) -> list[bytes]:
        """Tell the next bytes as they arrived, 1 MiB or a little more; none at the true end.

        Putting them together would cost a copy of everything that is ever fetched. Waits first
        while the mirror's bandwidth is used up. MirrorSilent when nothing comes for the stall time,
        MirrorUnreachable when it ends or breaks off early, MirrorLied when more comes than there
        is. May be cancelled, and then called anew.
        """
        while not self._ended:
            await self._passage.ready()
            pieces = await self._receive()
            if not pieces:
                self._end()
                break
            if self._skip:
                pieces = self._skipped(pieces)
                if not pieces:
                    continue
            self._position += sum(map(len, pieces))
            if self.stop is not None and self._position > self.stop:
                raise self._failed(MirrorLied(f"sends more than up to byte {self.stop}"))
            return pieces
        return []

    async def aclose(self) -> None:
        """Give the connection back if the body was read to its end, else drop it; never raises."""
        if self._ended:
            self._response.release()
        else:
            self._response.close()
        self._passage.close()

    def _skipped(self, pieces: list[bytes]) -> list[bytes]:
        left = []
        for piece in pieces:
            thrown = min(self._skip, len(piece))
            self._skip -= thrown
            if thrown < len(piece):
                left.append(piece[thrown:])
        return left

    async def _receive(self) -> list[bytes]:
        content, passage = self._response.content, self._passage
        began = asyncio.get_running_loop().time()
        try:
            with passage.waiting():
                async with asyncio.timeout(self._stall_s):
                    pieces = await _arrived(content, min(PIECE_BYTES, passage.piece_bytes))
        except TimeoutError as error:
            silent = MirrorSilent(f"sent nothing for {self._stall_s:g} s at byte {self._position}")
            raise self._failed(silent) from error
        except (aiohttp.ClientError, OSError, RuntimeError) as error:
            # What arrived before the break is good, and would have to be fetched again: with a
            # link that breaks often that is the difference between slow and never.
            rest = content._read_nowait(PIECE_BYTES)  # noqa: SLF001 - the library has no other way
            if rest:
                passage.received(len(rest), began)
                return [rest]
            if isinstance(error, aiohttp.ClientPayloadError) and self._missing():
                raise self._failed(self._early()) from error
            raise self._failed(translate(error, self._response.url.host or "")) from error
        passage.received(sum(map(len, pieces)), began)
        return pieces

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


async def _arrived(content: aiohttp.StreamReader, limit: int) -> list[bytes]:
    """Wait for bytes, then take what is there, chunk by chunk up to `limit`; none at the end.

    While more comes with each turn of the loop it is waited for: on a fast link the hop to the
    writing thread costs more than the bytes, and they come four turns to a mebibyte.
    """
    first = await content.read(limit) if limit < PIECE_BYTES else await _first(content)
    pieces, total = [first] if first else [], len(first)
    while first and total < limit:
        if not content._buffer:  # noqa: SLF001
            await asyncio.sleep(0)
        # The library's own way to take more than one chunk joins them.
        if not content._buffer:  # noqa: SLF001
            break
        pieces.append(content._read_nowait_chunk(limit - total))  # noqa: SLF001
        total += len(pieces[-1])
    return pieces


async def _first(content: aiohttp.StreamReader) -> bytes:
    while True:
        piece, _ = await content.readchunk()
        if piece or content.at_eof():
            return piece


def first_bytes(pieces: list[bytes], limit: int) -> list[bytes]:
    """The first `limit` bytes of `pieces`, without copying what is taken whole."""
    left, kept = limit, []
    for piece in pieces:
        if left:
            kept.append(piece[:left])
            left -= len(kept[-1])
    return kept
