"""Which files the server goes by."""

from __future__ import annotations

from pathlib import Path

from aiohttp.test_utils import TestClient, TestServer

from entrepot.config.origin import Origin
from entrepot.metrics import Metrics
from entrepot.web.admin import admin_application
from entrepot.web.guard import Guard
from entrepot.web.originapi import OriginApi

ORIGIN = Origin(Path("/etc/own.yaml"), "china", Path("/srv/cache"))


async def test_told_without_the_token_but_to_no_page_under_a_rebound_name() -> None:
    application = admin_application(Metrics(), lambda: True, Guard("x" * 16), OriginApi(ORIGIN))
    async with TestClient(TestServer(application)) as client:
        told = await client.get("/v1/settings")
        assert Origin.read(await told.json()) == ORIGIN
        assert (await told.json())["offline"] is False
        refused = await client.get("/v1/settings", headers={"Host": "evil.example"})
        assert refused.status == 403


async def test_offline_is_told_as_it_is_now() -> None:
    switch = [True, False]
    api = OriginApi(ORIGIN, switch.pop)
    application = admin_application(Metrics(), lambda: True, Guard("x" * 16), api)
    async with TestClient(TestServer(application)) as client:
        told = [(await (await client.get("/v1/settings")).json())["offline"] for _ in range(2)]
    assert told == [False, True]
