"""The admin listener's way in and out for images."""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from entrepot.metrics import Metrics
from entrepot.mirror.intake import Intake
from entrepot.mirror.names import NameTable
from entrepot.mirror.room import Room
from entrepot.web.admin import admin_application
from entrepot.web.carryapi import CarryApi
from entrepot.web.guard import Guard
from fakes.images import image, sha256
from unit.store.keeping import REGISTRY, Keeping, keeping

TOKEN = "a-token-that-nobody-would-guess"
ONE = image("one", layers=(900_000,))
LAYER = ONE.layers[0]


@dataclass(slots=True)
class Desk:
    own: Keeping
    client: TestClient[web.Request, web.Application]

    async def ask(self, method: str, path: str, **more: Any) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with self.client.request(method, path, headers=headers, **more) as got:
            body = await got.read()
            return got.status, json.loads(body) if got.content_type.endswith("json") else body


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with keeping(tmp_path) as own:
        room = Room(own.store, own.catalog, own.clock, own.metrics.cache)
        names = NameTable({REGISTRY: ["short"]})
        api = CarryApi(Intake(names, room))
        application = admin_application(Metrics(), lambda: True, Guard(TOKEN), api)
        async with TestClient(TestServer(application)) as client:
            yield Desk(own, client)
        await room.aclose()


async def test_every_route_needs_the_token(desk: Desk) -> None:
    digest = sha256(LAYER)
    for method, path in (
        ("POST", "/v1/import/plan"),
        ("PUT", f"/v1/blobs/{digest}"),
        ("PUT", f"/v1/manifests/{digest}"),
        ("GET", f"/v1/blobs/{digest}"),
    ):
        assert (await desk.client.request(method, path)).status == 401


async def test_an_image_comes_in_and_goes_out(desk: Desk) -> None:
    asked = {
        "digest": str(ONE.digest),
        "names": ["short/pause:1", "quay.io/a:1"],
        "blobs": [str(sha256(LAYER))],
    }
    _, plan = await desk.ask("POST", "/v1/import/plan", json=asked)
    assert plan["held"] == []
    assert [one["name"] for one in plan["names"]] == [f"{REGISTRY}/pause:1", None]
    assert [one["refused"] is None for one in plan["names"]] == [True, False]
    for data in ONE.blobs:
        path, query = f"/v1/blobs/{sha256(data)}", {"registry": "short"}
        assert (await desk.ask("PUT", path, params=query, data=data))[1]["new"]
        assert not (await desk.ask("PUT", path, params=query, data=data))[1]["new"]
    query = {"name": "short/pause:1", "type": ONE.media_type, "named": ""}
    path = f"/v1/manifests/{ONE.digest}"
    status, told = await desk.ask("PUT", path, params=query, data=ONE.manifest)
    assert (status, told["name"]) == (200, f"{REGISTRY}/pause:1")
    assert await desk.own.tags() == ["1"]
    assert await desk.ask("GET", f"/v1/blobs/{sha256(LAYER)}") == (200, LAYER)
    assert (await desk.ask("POST", "/v1/import/plan", json=asked))[1]["held"] == asked["blobs"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", f"/v1/blobs/{sha256(b'none')}", 404),
        ("GET", "/v1/blobs/sha256:..%2f..%2fetc", 400),
        ("PUT", f"/v1/blobs/{sha256(b'x')}", 400),
        ("PUT", f"/v1/blobs/{sha256(b'x')}?registry=quay.io", 400),
        ("PUT", f"/v1/blobs/{sha256(b'other')}?registry={REGISTRY}", 400),
        ("PUT", f"/v1/manifests/{sha256(b'x')}?name={REGISTRY}/a:1", 400),
        ("PUT", f"/v1/manifests/{sha256(b'x')}?name=quay.io/a:1", 400),
        ("PUT", f"/v1/manifests/{sha256(b'x')}", 400),
    ],
)
async def test_what_cannot_be_is_refused(desk: Desk, method: str, path: str, status: int) -> None:
    got, told = await desk.ask(method, path, data=b"x" if method == "PUT" else None)
    assert got == status
    assert told["errors"][0]["message"]
    assert await desk.own.digests() == set()


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b'{"names": 1}', b'{"names": [1]}', b'{"blobs": ""}']
)
async def test_a_plan_that_says_nothing_is_refused(desk: Desk, body: bytes) -> None:
    assert (await desk.ask("POST", "/v1/import/plan", data=body))[0] == 400


async def test_a_blob_of_unknown_length_is_refused(desk: Desk) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"x"

    path = f"/v1/blobs/{sha256(b'x')}?registry={REGISTRY}"
    status, told = await desk.ask("PUT", path, data=pieces())
    assert (status, "Content-Length" in told["errors"][0]["message"]) == (400, True)


async def test_a_manifest_has_a_limit(desk: Desk) -> None:
    path = f"/v1/manifests/{sha256(b'x')}?name={REGISTRY}/a:1"
    assert (await desk.ask("PUT", path, data=io.BytesIO(bytes(9 << 20))))[0] == 400
