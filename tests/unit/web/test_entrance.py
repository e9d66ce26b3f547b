"""Handlers are exchanged between requests, never under one."""

from __future__ import annotations

import asyncio

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from entrepot.web.entrance import Entrance, Use


async def test_a_request_ends_where_it_began() -> None:
    go_on, began = asyncio.Event(), asyncio.Event()

    async def old(_: web.BaseRequest) -> web.Response:
        began.set()
        await go_on.wait()
        return web.Response(text="old")

    async def new(_: web.BaseRequest) -> web.Response:
        return web.Response(text="new")

    before, after = Use(), Use()
    entrance = Entrance(old, before)

    async def handle(request: web.Request) -> web.StreamResponse:
        return await entrance(request)

    application = web.Application()
    application.router.add_get("/", handle)
    async with TestClient(TestServer(application)) as client, asyncio.TaskGroup() as tasks:
        await before.idle()
        slow = tasks.create_task(client.get("/"))
        await began.wait()
        entrance.lead_to(new, after)
        assert await (await client.get("/")).text() == "new"
        assert (len(before), len(after)) == (1, 0)
        idle = tasks.create_task(before.idle())
        await asyncio.sleep(0)
        assert not idle.done()
        go_on.set()
        assert await (await slow).text() == "old"
        await idle
        assert len(before) == 0
