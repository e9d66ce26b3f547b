"""Taking the connection of a long answer away from the HTTP library."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import aiohttp

from entrepot.upstream.blobanswer import parse_length
from entrepot.upstream.directbody import DirectBody
from entrepot.upstream.socketbody import SocketBody

LONG_BYTES = 48 << 20
"""With less to come the connection is worth more than what is saved: parts of striped blobs end at
32 MiB, and go on over the same one."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A connection with `left` bytes of a body to come, after those that were read already."""

    transport: asyncio.Transport
    library: asyncio.BaseProtocol
    left: int
    early: tuple[bytes, ...]


def take(response: aiohttp.ClientResponse) -> Taken | None:
    """Take the connection of `response`, if much is still to come and it is known how much.

    Nothing may have been read of the body yet. Whoever takes it sets its protocol at once.
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
    return Taken(transport, library, length - content.total_bytes, tuple(early))


def take_over(response: aiohttp.ClientResponse, limit: int) -> DirectBody | SocketBody | None:
    """Read a long answer past the library: from the socket where that has the plain bytes."""
    taken = take(response)
    if taken is None:
        return None
    if taken.transport.get_extra_info("sslcontext") is None:
        plain = SocketBody(taken.transport, taken.library, taken.left)
        plain.start(taken.early)
        return plain
    direct = DirectBody(taken.transport, taken.library, taken.left, limit)
    direct.start(taken.early)
    return direct
