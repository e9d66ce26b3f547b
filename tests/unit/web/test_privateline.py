"""An application that only this process can ask."""

from __future__ import annotations

import asyncio
import socket

from aiohttp import web

from entrepot.web.privateline import PrivateLine, private_line


def exchange(end: socket.socket, path: str, body: bytes = b"") -> bytes:
    """One request, and everything until the server hangs up; closes the socket."""
    with end:
        end.settimeout(10)
        head = f"POST {path} HTTP/1.1\r\nHost: here\r\nConnection: close\r\n"
        end.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        received = bytearray()
        while piece := end.recv(65536):
            received += piece
    return bytes(received)


async def ask(line: PrivateLine, path: str, body: bytes = b"") -> bytes:
    return await asyncio.to_thread(exchange, await line.connect(), path, body)


def echoing() -> web.Application:
    async def echo(request: web.Request) -> web.Response:
        return web.Response(body=await request.read())

    application = web.Application()
    application.router.add_post("/echo", echo)
    return application


async def test_what_is_sent_reaches_the_application_and_its_answer_comes_back() -> None:
    async with private_line(echoing()) as line:
        body = bytes(range(256)) * 2000
        answer = await ask(line, "/echo", body)
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert answer.partition(b"\r\n\r\n")[2] == body
        assert (await ask(line, "/nowhere")).startswith(b"HTTP/1.1 404 ")


async def test_connections_do_not_get_each_others_answers() -> None:
    async with private_line(echoing()) as line:
        answers = await asyncio.gather(*(ask(line, "/echo", b"%d" % n) for n in range(8)))
        assert [one.partition(b"\r\n\r\n")[2] for one in answers] == [b"%d" % n for n in range(8)]


async def test_nothing_of_it_is_on_a_network_and_the_clients_end_blocks() -> None:
    async with private_line(echoing()) as line:
        end = await line.connect()
        with end:
            assert end.family is socket.AF_UNIX
            assert end.getblocking()


async def test_at_the_end_open_connections_are_closed_and_the_application_is_told() -> None:
    told: list[str] = []

    async def cleanup(_: web.Application) -> None:
        told.append("cleaned up")

    application = echoing()
    application.on_cleanup.append(cleanup)
    async with private_line(application) as line:
        end = await line.connect()
    with end:
        end.settimeout(10)
        assert await asyncio.to_thread(end.recv, 1) == b""
    assert told == ["cleaned up"]
