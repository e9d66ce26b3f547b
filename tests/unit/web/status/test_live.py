"""Streams of events end when they have to."""

from __future__ import annotations

import asyncio

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from entrepot.mirror.documents import Document
from entrepot.web.status.live import MOST_WATCHERS, Live
from unit.web.serving import until


def application(live: Live, events: list[Document]) -> web.Application:
    made = web.Application()

    async def stream(request: web.Request) -> web.StreamResponse:
        return await live.stream(request, lambda: events.pop(0) if len(events) > 1 else events[0])

    made.router.add_get("/", stream)
    return made


async def test_what_is_as_before_is_left_out_and_closing_ends_it() -> None:
    live = Live(every_s=0.01)
    events: list[Document] = [
        {"a": "one\ntwo", "b": {"n": 1}},
        {"a": "one\ntwo", "b": {"n": 2}},
        {"a": "one\ntwo", "b": {"n": 2}},
    ]
    async with TestClient(TestServer(application(live, events))) as client:
        answer = await client.get("/")
        first = b'event: a\ndata: one\ndata: two\n\nevent: b\ndata: {"n": 1}\n\n'
        rest = b'event: b\ndata: {"n": 2}\n\n'
        assert await answer.content.readexactly(len(first + rest)) == first + rest
        assert await answer.content.readexactly(3) == b":\n\n"
        live.close()
        assert set(await answer.read()) <= set(b":\n")
        assert (await client.get("/")).status == 503
    assert len(live) == 0


async def test_who_goes_is_not_counted_and_too_many_are_refused() -> None:
    live = Live(every_s=0.01)
    async with TestClient(TestServer(application(live, [{"a": "x"}]))) as client:
        answers = [await client.get("/") for _ in range(MOST_WATCHERS)]
        await until(lambda: len(live) == MOST_WATCHERS)
        assert (await client.get("/")).status == 503
        answers.pop().close()
        await until(lambda: len(live) == MOST_WATCHERS - 1)
        assert (await client.get("/")).status == 200
        live.close()
        await asyncio.gather(*(one.read() for one in answers))
