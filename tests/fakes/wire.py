"""Sends a delivery on aiohttp's connection, and ends the connection the way it says."""

from __future__ import annotations

import array
import asyncio
import fcntl
import socket
import struct
import termios
from collections.abc import Callable
from typing import NoReturn

from aiohttp import web

from fakes.fault import Delivery, Ending
from fakes.pace import Pace

_CHUNK_BYTES = 256 << 10
_LINGER_NONE = struct.pack("ii", 1, 0)


class _Unchecked(web.StreamResponse):
    """A response whose Content-Length may lie."""

    _length_check = False


async def send(
    request: web.BaseRequest, delivery: Delivery, pace: Pace | None, sent: Callable[[int], None]
) -> web.StreamResponse:
    """Put the delivery on the wire; `sent(n)` hears of each n bytes of body handed to the kernel.

    Returns only if the connection goes on; otherwise it is cancelled by aiohttp when the
    connection is gone.
    """
    answer = delivery.answer
    response = _Unchecked(status=answer.status, headers=dict(answer.headers))
    response.headers["Content-Length"] = str(delivery.content_length)
    await response.prepare(request)
    body = memoryview(answer.body)[: delivery.stop_at]
    if request.method != "HEAD":
        await _write(response, body, delivery, pace, sent)
    if delivery.ending is Ending.RESET:
        await drained(request.transport)
        await reset(request)
    if delivery.ending is Ending.CLOSE and request.transport is not None:
        request.transport.close()
        await forever()
    if delivery.ending is Ending.STALL:
        await forever()
    await response.write_eof()
    return response


async def _write(
    response: web.StreamResponse,
    body: memoryview,
    delivery: Delivery,
    pace: Pace | None,
    sent: Callable[[int], None],
) -> None:
    offset = 0
    slow_from = len(body) if delivery.slow_from is None else delivery.slow_from
    slow = Pace(delivery.slow_bytes_per_second or 1.0)
    while offset < len(body):
        pacer = slow if offset >= slow_from else pace
        step = pacer.step_bytes if pacer else _CHUNK_BYTES
        stop = min(offset + step, len(body) if offset >= slow_from else slow_from)
        if pacer:
            await pacer.wait(stop - offset)
        await response.write(body[offset:stop])
        sent(stop - offset)
        offset = stop


async def drained(transport: asyncio.WriteTransport | None) -> None:
    """Wait until the peer has what was written: a reset throws away what is still queued here."""
    while transport is not None and not transport.is_closing():
        if transport.get_write_buffer_size() == 0 and _unsent(transport) == 0:
            return
        # The kernel has no event for "the send queue is empty".
        await asyncio.sleep(0.001)


def _unsent(transport: asyncio.WriteTransport) -> int:
    count = array.array("i", [0])
    fcntl.ioctl(transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, count)
    return count[0]


def abort(transport: asyncio.BaseTransport) -> None:
    """End the connection with RST, whatever is still queued."""
    sock = transport.get_extra_info("socket")
    if sock is not None and sock.fileno() >= 0:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NONE)
    if isinstance(transport, asyncio.Transport):
        transport.abort()


async def reset(request: web.BaseRequest) -> NoReturn:
    """Reset the connection of this request and wait to be cancelled for it."""
    if request.transport is not None:
        abort(request.transport)
    await forever()


async def forever() -> NoReturn:
    """Wait until cancelled; aiohttp does so when the connection ends."""
    await asyncio.get_running_loop().create_future()
    raise AssertionError("nobody sets this future")
