"""The body of an answer as the HTTP library reads it."""

from __future__ import annotations

import asyncio

import aiohttp

from entrepot.upstream.piece import Piece

PIECE_BYTES = 1 << 20


class LibraryBody:
    """Any body at all, through the library's parser and its bytes objects."""

    reading = True
    reusable = True

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._content = response.content

    def take(self, limit: int) -> Piece:  # noqa: ARG002
        """Take what is not worth a wait: nothing, see `DirectBody`."""
        return Piece()

    def close(self) -> None:
        """Do nothing: the response has what there is to close."""

    async def arrival(self, limit: int) -> Piece:
        """Wait for bytes, then take what is there, chunk by chunk up to `limit`; none at the end.

        While more comes with each turn of the loop it is waited for: on a fast link the hop to the
        writing thread costs more than the bytes, and they come four turns to a mebibyte.
        """
        content = self._content
        try:
            first = await content.read(limit) if limit < PIECE_BYTES else await self._first()
        except (aiohttp.ClientError, OSError, RuntimeError):
            # What arrived before the break is good, and would have to be fetched again: with a
            # link that breaks often that is the difference between slow and never.
            rest = content._read_nowait(PIECE_BYTES)  # noqa: SLF001 - the library has no other way
            if rest:
                return Piece((rest,))
            raise
        pieces, total = [first] if first else [], len(first)
        while first and total < limit:
            if not content._buffer:  # noqa: SLF001
                await asyncio.sleep(0)
            # The library's own way to take more than one chunk joins them.
            if not content._buffer:  # noqa: SLF001
                break
            pieces.append(content._read_nowait_chunk(limit - total))  # noqa: SLF001
            total += len(pieces[-1])
        return Piece(tuple(pieces))

    async def _first(self) -> bytes:
        while True:
            piece, _ = await self._content.readchunk()
            if piece or self._content.at_eof():
                return piece
