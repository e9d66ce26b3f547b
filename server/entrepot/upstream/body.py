"""Reading an answer that must fit into memory."""

from __future__ import annotations

import asyncio

import aiohttp

from entrepot.errors import MirrorFailed, MirrorSilent
from entrepot.upstream.breakage import translate

_PIECE_BYTES = 1 << 20


async def read_body(response: aiohttp.ClientResponse, *, limit: int, stall_s: float) -> bytes:
    """Read the whole body; the response is the caller's to close.

    MirrorFailed when it has more than `limit` bytes, MirrorSilent when none comes for `stall_s`
    seconds, MirrorUnreachable when it breaks off.
    """
    host = response.url.host or ""
    if (response.content_length or 0) > limit:
        raise MirrorFailed(f"{host} answers with {response.content_length} bytes, too many")
    pieces: list[bytes] = []
    size = 0
    while True:
        try:
            async with asyncio.timeout(stall_s):
                piece = await response.content.read(_PIECE_BYTES)
        except TimeoutError as error:
            raise MirrorSilent(f"{host} sent nothing for {stall_s:g} s") from error
        except (aiohttp.ClientError, OSError, RuntimeError) as error:
            raise translate(error, host) from error
        if not piece:
            return b"".join(pieces)
        pieces.append(piece)
        size += len(piece)
        if size > limit:
            raise MirrorFailed(f"{host} answers with more than {limit} bytes")
