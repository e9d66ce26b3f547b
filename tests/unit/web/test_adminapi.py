"""What the admin listener answers below /v1/, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from entrepot.metrics import Metrics
from entrepot.mirror.library import Library
from entrepot.mirror.names import NameTable
from entrepot.mirror.room import Room
from entrepot.oci.digest import Digest
from entrepot.upstream.outbound import Outbound
from entrepot.web.admin import admin_application
from entrepot.web.adminapi import AdminApi
from entrepot.web.guard import Guard
from fakes.images import image
from unit.store.keeping import REGISTRY, Keeping, keeping, rot

TOKEN = "a-token-that-nobody-would-guess"
APP = f"{REGISTRY}/pause"
ONE = image("one")


@dataclass(slots=True)
class Desk:
    """A cache with two images of one layer each, and who answers for it."""

    own: Keeping
    library: Library
    client: TestClient[web.Request, web.Application]

    async def ask(self, method: str, path: str, **more: Any) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with self.client.request(method, path, headers=headers, **more) as got:
            return got.status, await got.json()

    async def lines(self, path: str) -> list[Any]:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with self.client.post(path, headers=headers) as got:
            assert got.content_type == "application/x-ndjson"
            return [json.loads(line) for line in (await got.text()).splitlines()]


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with keeping(tmp_path) as own:
        await own.put_image("1", image=ONE)
        await own.put_image("2", image=image("two"))
        room = Room(own.store, own.catalog, own.clock, own.metrics.cache)
        library = Library(NameTable({REGISTRY: ["short"]}), room, own.upkeep)
        application = admin_application(Metrics(), lambda: True, Guard(TOKEN), AdminApi(library))
        async with TestClient(TestServer(application)) as client:
            yield Desk(own, library, client)
        await room.aclose()


async def test_every_route_needs_the_token(desk: Desk) -> None:
    routes = {
        (route.method, route.resource.canonical)
        for route in desk.client.app.router.routes()
        if route.resource is not None and route.resource.canonical.startswith("/v1/")
    }
    assert len(routes) > 10
    for method, path in routes:
        assert (await desk.client.request(method, path)).status == 401, (method, path)
    assert await desk.own.tags() == ["1", "2"]


async def test_pages_follow_each_other(desk: Desk) -> None:
    _, first = await desk.ask("GET", "/v1/images", params={"limit": "1"})
    assert ([one["name"] for one in first["images"]], first["next"]) == ([f"{APP}:1"], f"{APP}:1")
    _, rest = await desk.ask("GET", "/v1/images", params={"after": first["next"]})
    assert ([one["name"] for one in rest["images"]], rest["next"]) == ([f"{APP}:2"], None)


@pytest.mark.parametrize("limit", ["0", "-1", "1001", "x", "", "1" * 5000, "²"])
async def test_a_limit_is_a_number_in_bounds(limit: str, desk: Desk) -> None:
    status, told = await desk.ask("GET", "/v1/images", params={"limit": limit})
    assert (status, told["errors"][0]["code"]) == (400, "NAME_INVALID")


async def test_an_image_is_removed_once(desk: Desk) -> None:
    params = {"name": "short/pause:1"}
    _, told = await desk.ask("GET", "/v1/images/one", params=params)
    assert told["platforms"][0]["missing"] == []
    _, told = await desk.ask("DELETE", "/v1/images", params=params)
    assert (told["names"], told["freed"]["blobs"]) == ([f"{APP}:1"], 3)
    assert (await desk.ask("DELETE", "/v1/images", params=params))[0] == 404
    assert (await desk.ask("DELETE", "/v1/images"))[0] == 400
    assert await desk.own.tags() == ["2"]


async def test_verify_tells_blob_by_blob_and_says_when_it_is_done(desk: Desk) -> None:
    rot(desk.own.path(Digest.of(ONE.layers[0])))
    first, *found, last = await desk.lines(f"/v1/verify?name={APP}:1")
    assert (first["blobs"], last) == (3, {"done": True})
    assert sorted(one["verdict"] for one in found) == ["rotten", "sound", "sound"]
    assert [one["images"] for one in found if one["images"]] == [[f"{APP}:1"]]
    assert (await desk.ask("POST", f"/v1/verify?name={APP}:3"))[0] == 404


async def test_keeps_are_told_and_taken_back(desk: Desk) -> None:
    kept = await desk.ask("POST", "/v1/keeps", json={"pattern": "short/pause:*"})
    assert kept == (200, {"pattern": f"{APP}:*"})
    assert (await desk.ask("GET", "/v1/keeps"))[1] == {"settings": [], "told": [f"{APP}:*"]}
    params = {"pattern": f"{APP}:*"}
    assert (await desk.ask("DELETE", "/v1/keeps", params=params))[0] == 200
    assert (await desk.ask("DELETE", "/v1/keeps", params=params))[0] == 404


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b'{"pattern": 1}', b"null"])
async def test_a_body_that_says_nothing_is_refused(body: bytes, desk: Desk) -> None:
    assert (await desk.ask("POST", "/v1/keeps", data=body))[0] == 400
    assert (await desk.ask("GET", "/v1/keeps"))[1]["told"] == []


async def test_the_switch_is_there_when_a_server_is(desk: Desk) -> None:
    assert (await desk.ask("PUT", "/v1/offline", json={"offline": True}))[0] == 503
    desk.library.outbound = Outbound(offline=False)
    assert (await desk.ask("PUT", "/v1/offline", json={"offline": "yes"}))[0] == 400
    assert await desk.ask("GET", "/v1/offline") == (200, {"offline": False})
    assert await desk.ask("PUT", "/v1/offline", json={"offline": True}) == (200, {"offline": True})
    assert desk.library.outbound.offline


async def test_why_and_the_ledger(desk: Desk) -> None:
    status, told = await desk.ask("GET", "/v1/why", params={"name": "short/pause:1"})
    assert (status, told["name"], told["digest"]) == (200, f"{APP}:1", str(ONE.digest))
    assert (await desk.ask("GET", "/v1/why", params={"name": f"{APP}:none"}))[0] == 404
    assert (await desk.ask("GET", "/v1/why"))[0] == 400
    assert await desk.ask("GET", "/v1/ledger") == (200, {"records": [], "more": False})
    assert await desk.ask("GET", "/v1/ledger/mirrors") == (200, {"mirrors": []})
    query = {"mirror": "first", "before": "1.5"}
    assert await desk.ask("GET", "/v1/ledger/suspects", params=query) == (200, {"suspects": []})
    for since in ("nan", "soon", "inf"):
        assert (await desk.ask("GET", "/v1/ledger", params={"since": since}))[0] == 400


async def test_gc_tells_what_it_took(desk: Desk) -> None:
    orphan = await desk.own.put_file(b"nobody names it")
    status, told = await desk.ask("POST", "/v1/gc")
    assert (status, await desk.own.tags()) == (200, ["1", "2"])
    assert told["orphans"] == 1, told
    assert not desk.own.path(orphan).exists()
    _, again = await desk.ask("POST", "/v1/gc")
    assert again["orphans"] == 0


async def test_a_scrub_is_told_begun_and_waited_for(desk: Desk) -> None:
    status, before = await desk.ask("GET", "/v1/scrub")
    assert (status, before["rotten"]) == (200, 0)
    rot(desk.own.path(Digest.of(ONE.layers[0])))
    status, after = await desk.ask("POST", "/v1/scrub?wait")
    assert (status, after["began"]) == (200, True)
    assert not desk.own.path(Digest.of(ONE.layers[0])).exists()
    assert (await desk.ask("POST", "/v1/scrub"))[0] == 200


async def test_a_verify_that_nobody_listens_to_ends_and_the_next_one_goes_through(
    desk: Desk,
) -> None:
    for number in range(60):
        await desk.own.put_blob(b"%d" % number)
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with desk.client.post("/v1/verify", headers=headers) as got:
        assert json.loads(await got.content.readline())["blobs"] == 66
        got.close()
    *found, last = (await desk.lines("/v1/verify"))[1:]
    assert (len(found), last) == (66, {"done": True})
