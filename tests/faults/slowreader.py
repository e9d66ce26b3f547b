"""A client with a speed of its own, over a bare socket."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from fakes.pace import Pace
from wire.client import client

_PIECE_BYTES = 64 << 10


@dataclass(frozen=True, slots=True)
class Received:
    """What came of one answer; `whole` is false when the connection ended inside it."""

    status: int
    body: bytes
    whole: bool


async def read(
    address: str,
    target: str,
    *headers: tuple[str, str],
    bytes_per_second: float | None = None,
    leave_after: int | None = None,
) -> Received:
    """GET `target`, reading so fast; hang up after `leave_after` bytes of the body."""
    pace = Pace(bytes_per_second) if bytes_per_second is not None else None
    received = bytearray()
    async with client(address) as one:
        await one.send("GET", target, *headers)
        head = await one.hear_head()
        length = head.length or 0
        wanted = length if leave_after is None else min(length, leave_after)
        try:
            while len(received) < wanted:
                async with asyncio.timeout(60):
                    piece = await one.reader.read(min(_PIECE_BYTES, wanted - len(received)))
                if not piece:
                    break
                received += piece
                if pace is not None:
                    await pace.wait(len(piece))
        except ConnectionError:
            pass
    return Received(head.status, bytes(received), len(received) == length)
