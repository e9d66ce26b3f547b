"""A cache directory opened by a command, in a thread of its own: there is no server to ask."""

from __future__ import annotations

import asyncio
import http.client
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager

from entrepot.atrest import Line, at_rest
from entrepot.cli.adminclient import Connect
from entrepot.config import Settings

_Opened = tuple[asyncio.AbstractEventLoop, asyncio.Event, Line]


@contextmanager
def directory(settings: Settings, token: str, *, fetching: bool = False) -> Iterator[Connect]:
    """Open the cache and give what connects to it; StoreLocked when a server uses it.

    With `fetching` mirrors are asked, as a server would.

    At the end of the block, also after ^C, what is going on is ended in order.
    """
    opened: Future[_Opened] = Future()
    thread = threading.Thread(
        target=lambda: asyncio.run(_answer(settings, token, opened, fetching=fetching)),
        name="entrepot-directory",
    )
    thread.start()
    try:
        loop, over, line = opened.result()
    except BaseException:
        thread.join()
        raise

    def connect() -> http.client.HTTPConnection:
        wanted: Future[socket.socket] = asyncio.run_coroutine_threadsafe(line.connect(), loop)
        connection = http.client.HTTPConnection("localhost")
        connection.sock = wanted.result()
        return connection

    try:
        yield connect
    finally:
        _ = loop.call_soon_threadsafe(over.set)
        thread.join()


async def _answer(
    settings: Settings, token: str, opened: Future[_Opened], *, fetching: bool
) -> None:
    over = asyncio.Event()
    try:
        async with at_rest(settings, token, fetching=fetching) as line:
            opened.set_result((asyncio.get_running_loop(), over, line))
            await over.wait()
    except BaseException as error:
        if opened.done():
            raise
        opened.set_exception(error)
