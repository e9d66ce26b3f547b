"""Jobs of fetching ahead, asked for and watched through the admin listener."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from entrepot.metrics import Metrics
from entrepot.mirror.names import NameTable
from entrepot.mirror.prefetch import Means, Prefetch
from entrepot.web.admin import admin_application
from entrepot.web.guard import Guard
from entrepot.web.prefetchapi import PrefetchApi
from fakes.images import image
from fakes.registry import FakeRegistry
from mirroring import REGISTRY, mirroring

TOKEN = "a-token-that-nobody-would-guess"
HEADERS = {"Authorization": f"Bearer {TOKEN}"}
NAME = f"{REGISTRY}/pause:1"


@dataclass(slots=True)
class Desk:
    mirror: FakeRegistry
    prefetch: Prefetch
    client: TestClient[web.Request, web.Application]

    async def ask(self, method: str, path: str, **more: Any) -> tuple[int, Any]:
        async with self.client.request(method, path, headers=HEADERS, **more) as got:
            return got.status, await got.json()


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with FakeRegistry() as mirror, mirroring(tmp_path, mirror.url) as mirrored:
        mirror.put_image("pause", "1", image("one", layers=(1_000_000,)))
        prefetch = Prefetch(
            Means(NameTable({REGISTRY: []}), mirrored.tags, mirrored.blobs, 5.0), rests_s=()
        )
        prefetch.courtesy.quiet_s = 0.0
        api = PrefetchApi(prefetch)
        application = admin_application(Metrics(), lambda: True, Guard(TOKEN), api)
        async with TestClient(TestServer(application)) as client:
            yield Desk(mirror, prefetch, client)
        await prefetch.aclose()


async def test_every_route_needs_the_token(desk: Desk) -> None:
    for method in ("GET", "POST", "DELETE"):
        assert (await desk.client.request(method, "/v1/prefetch")).status == 401


async def test_a_job_is_told_line_by_line(desk: Desk) -> None:
    body = {"images": [NAME, f"{REGISTRY}/none:1"], "platforms": ["linux/amd64"]}
    async with desk.client.post("/v1/prefetch", headers=HEADERS, json=body) as got:
        assert got.content_type == "application/x-ndjson"
        lines = [json.loads(line) for line in (await got.text()).splitlines()]
    assert lines[-1] == {"done": True, "failed": 1}
    last = {line["image"]["told"]: line["image"] for line in lines if "image" in line}
    assert [one["state"] for one in last.values()] == ["done", "failed"]
    assert last[NAME]["fetched"] == last[NAME]["bytes"] > 1_000_000
    progress = [line["progress"] for line in lines if "progress" in line][-1]
    assert progress["bytes"] == progress["bytes_total"] == last[NAME]["bytes"]
    assert (progress["done"], progress["failed"], progress["images"]) == (1, 1, 2)
    [job] = (await desk.ask("GET", "/v1/prefetch"))[1]["jobs"]
    assert (job["ended"], job["cancelled"], job["origin"]) == (True, False, "command")


async def test_in_the_background_it_goes_on_and_can_be_ended(desk: Desk) -> None:
    desk.mirror.bytes_per_second = 100_000.0
    _, job = await desk.ask("POST", "/v1/prefetch?background", json={"images": [NAME]})
    assert (job["id"], job["ended"]) == (1, False)
    _, told = await desk.ask("DELETE", "/v1/prefetch?id=1")
    assert (told["ended"], told["cancelled"]) == (True, True)
    for number in ("2", "x", ""):
        assert (await desk.ask("DELETE", f"/v1/prefetch?id={number}"))[0] == 404


async def test_a_job_ends_with_whoever_watches(desk: Desk) -> None:
    desk.mirror.bytes_per_second = 50_000.0
    body = {"images": [NAME]}
    async with desk.client.post("/v1/prefetch", headers=HEADERS, json=body) as got:
        await got.content.readline()
        got.close()
    async with asyncio.timeout(10):
        [job] = desk.prefetch.jobs()
        while not job.ended:
            await job.heard(1.0)
    assert job.cancelled


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b"{}",
        b'{"images": []}',
        b'{"images": [1]}',
        b'{"images": ["a"], "platforms": 1}',
    ],
)
async def test_an_order_that_says_nothing_is_refused(desk: Desk, body: bytes) -> None:
    assert (await desk.ask("POST", "/v1/prefetch", data=body))[0] == 400
    assert desk.prefetch.jobs() == []
