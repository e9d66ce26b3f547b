"""The status page without a browser: what is told to whom."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from entrepot.web.status import pages
from fakes.images import blob, image, index, sha256
from fakes.registry import FakeRegistry
from unit.web.serving import K8S, NS, Serving, registry_settings, serving
from wire.client import Answer, ask, client

SECRET = "secret.test"


async def pulled(served: Serving, name: str, ns: str) -> None:
    one = image(name)
    assert (await served.get(f"/v2/{name}/manifests/1{ns}")).status == 200
    for data in one.blobs:
        assert (await served.get(f"/v2/{name}/blobs/{sha256(data)}{ns}")).status == 200
    await served.until_filled()


async def pieces(data: bytes) -> AsyncIterator[bytes]:
    yield data


async def get(served: Serving, path: str, *headers: tuple[str, str]) -> Answer:
    return await ask(served.admin, "GET", path, *headers)


async def test_everything_as_json(tmp_path: Path) -> None:
    async with FakeRegistry() as mirror, serving(tmp_path, "http://127.0.0.1:9", mirror) as served:
        mirror.put_image("pause", "1", image("pause"))
        await pulled(served, "pause", NS)
        await pulled(served, "pause", NS)
        told = json.loads((await get(served, "/status.json")).body)
    assert told["totals"]["requests"] == 6
    assert told["totals"]["hits"] >= 3
    assert told["fills"] == []
    gone, well = told["mirrors"]
    assert (gone["state"], well["state"]) == ("open", "closed")
    assert "refused" in gone["last_error"]
    assert gone["last_error_at"] is not None
    assert well["bytes"] == told["totals"]["fetched_bytes"] > 0
    assert told["disk"]["blobs"] == 3
    assert told["disk"]["free"] > 0


async def test_only_what_went_wrong_has_failed_and_only_who_was_asked_is_well(
    tmp_path: Path,
) -> None:
    down = registry_settings("http://127.0.0.1:9")
    async with (
        FakeRegistry() as asked,
        FakeRegistry() as unasked,
        serving(
            tmp_path,
            registries={
                K8S: registry_settings(asked),
                "quay.io": registry_settings(unasked),
                "down.test": down,
            },
        ) as served,
    ):
        asked.put_image("pause", "1", image("pause"))
        await pulled(served, "pause", f"?ns={K8S}")
        assert (await served.get(f"/v2/none/manifests/1?ns={K8S}")).status == 404
        assert (await served.get("/v2/x/manifests/1?ns=down.test")).status == 502
        page = (await get(served, "/status")).body.decode()
        assert "<b>1<i>/3</i></b><span>mirrors are well</span><small>1 not asked yet, " in page
        await served.server.services.offline.outbound.set_offline(True)
        assert (await served.get("/v2/y/manifests/1?ns=quay.io")).status == 503
        totals = json.loads((await get(served, "/status.json")).body)["totals"]
    assert (totals["errors"], totals["failed"]) == (3, 1)


async def test_a_download_is_told_mirror_by_mirror(tmp_path: Path) -> None:
    data = image("big").layers[0] + bytes(3_000_000)
    async with (
        FakeRegistry(bytes_per_second=1_000_000) as mirror,
        serving(tmp_path, mirror) as served,
    ):
        mirror.put_blob("big", data)
        ask_for = served.get(f"/v2/big/blobs/{sha256(data)}{NS}", ("Range", "bytes=0-9"))
        assert (await ask_for).status == 206
        [fill] = json.loads((await get(served, "/status.json")).body)["fills"]
        page = (await get(served, "/status")).body.decode()
    assert (fill["registry"], fill["repository"]) == (K8S, "big")
    assert fill["size"] == len(data)
    [part] = fill["mirrors"]
    assert 0 < part["bytes"] <= fill["bytes"] < fill["size"]
    assert part["rate"] > 0
    assert "registry.k8s.io/big" in page


async def test_the_page_its_search_and_an_image(tmp_path: Path) -> None:
    async with FakeRegistry() as mirror, serving(tmp_path, mirror) as served:
        for name in ("pause", "etcd"):
            mirror.put_image(name, "1", image(name))
            await pulled(served, name, NS)
        found = [
            "registry.k8s.io/etcd:1" in (await get(served, path)).body.decode()
            for path in ("/status", "/status?q=etc", "/status?q=k8s.gcr.io/et", "/status?q=pau")
        ]
        assert found == [True, True, True, False]
        one = await get(served, "/status/image?name=k8s.gcr.io/etcd:1")
        assert (one.status, b"linux/amd64" in one.body) == (200, True)
        assert (await get(served, "/status/image?name=k8s.gcr.io/none:1")).status == 404
        assert (await get(served, "/status/image")).status == 400
        assert b"&lt;b&gt;" in (await get(served, "/status?q=<b>")).body
        assert (await get(served, "/")).header("Location") == "/status"


async def test_private_registries_are_for_those_who_have_logged_in(tmp_path: Path) -> None:
    users = tmp_path / "users"
    users.write_text("alice:$2y$04$EpC4CRj4RhIVTt2GLU8pmejiI7mIwSsVjxH3gMKg6cBBuHbL5uDFq\n")
    async with FakeRegistry() as mirror:
        mirror.put_image("hidden", "1", image("hidden"))
        registries = {SECRET: registry_settings(mirror)}
        async with serving(tmp_path, registries=registries) as served:
            await pulled(served, "hidden", f"?ns={SECRET}")
            assert b"hidden:1" in (await get(served, "/status")).body
        registries = {
            SECRET: registry_settings(mirror, private=True),
            "docker.io": registry_settings(mirror),
        }
        auth = {"htpasswd": str(users)}
        async with serving(tmp_path, registries=registries, auth=auth) as served:
            for path in ("/status", "/status.json", "/status?q=hidden"):
                assert b"hidden:1" not in (await get(served, path)).body
            path = f"/status/image?name={SECRET}/hidden:1"
            assert (await get(served, path)).status == 401
            other = f"/status/image?name={SECRET}/not-here:1"
            assert (await get(served, other)).status == 401, "who asks learns nothing"
            namesake = await get(served, "/status/image?name=docker.io/hidden:1")
            assert namesake.status == 404
            assert SECRET.encode() not in namesake.body, "nor what else may have been meant"
            token = (tmp_path / "cache" / "admin-token").read_text().strip()
            login = await send(served, "login", f"token={token}")
            cookie = (login.header("Set-Cookie") or "").partition(";")[0]
            assert (await get(served, path, ("Cookie", cookie))).status == 200
            assert b"hidden:1" in (await get(served, "/status", ("Cookie", cookie))).body


async def test_what_is_private_has_no_public_name_for_those_who_know_its_digest(
    tmp_path: Path,
) -> None:
    users = tmp_path / "users"
    users.write_text("alice:$2y$04$EpC4CRj4RhIVTt2GLU8pmejiI7mIwSsVjxH3gMKg6cBBuHbL5uDFq\n")
    secret, known = image("hidden"), image("known")
    async with FakeRegistry() as mirror:
        mirror.put_image("hidden", "1", secret)
        mirror.put_image("pause", "1", index([known]))
        registries = {K8S: registry_settings(mirror), SECRET: registry_settings(mirror)}
        async with serving(tmp_path, registries=registries) as served:
            for target in (
                f"hidden/manifests/1?ns={SECRET}",
                f"pause/manifests/1?ns={K8S}",
                f"pause/manifests/{known.digest}?ns={K8S}",
            ):
                assert (await served.get(f"/v2/{target}")).status == 200
        registries[SECRET] = registry_settings(mirror, private=True)
        auth = {"htpasswd": str(users)}
        async with serving(tmp_path, registries=registries, auth=auth) as served:
            page = f"/status/image?name={K8S}/pause@"
            digests = (secret.digest, index([known]).digest, known.digest)
            found = [(await get(served, f"{page}{digest}")).status for digest in digests]
            assert found == [404, 200, 200]
            token = (tmp_path / "cache" / "admin-token").read_text().strip()
            login = await send(served, "login", f"token={token}")
            cookie = (login.header("Set-Cookie") or "").partition(";")[0]
            told = await get(served, f"{page}{secret.digest}", ("Cookie", cookie))
            assert told.status == 200


async def test_an_image_tells_why_it_is_what_it_is(tmp_path: Path) -> None:
    users = tmp_path / "users"
    users.write_text("alice:$2y$04$EpC4CRj4RhIVTt2GLU8pmejiI7mIwSsVjxH3gMKg6cBBuHbL5uDFq\n")
    pins = tmp_path / "pins.yaml"
    held = image("pause")
    pins.write_text(
        f"schema: 1\nsource: <i>a test\ndate: 2026-11-28\npins:\n  {K8S}/pause:1: {held.digest}\n"
    )
    async with FakeRegistry(copying="rebuilt") as liar, FakeRegistry() as mirror:
        liar.put_image("pause", "1", held)
        mirror.put_image("pause", "1", held)
        mirrors = [{"url": liar.url, "name": "liar"}, {"url": mirror.url, "name": "honest"}]
        registries = {K8S: registry_settings(*mirrors), SECRET: registry_settings(mirror)}
        trust = {"pins": [str(pins)], "built_in_pins": False}
        alone = {K8S: registry_settings(mirrors[0])}
        async with serving(tmp_path, registries=alone, trust=trust) as served:
            assert (await served.get(f"/v2/pause/manifests/1?ns={K8S}")).status == 502
        async with serving(tmp_path, registries=registries, trust=trust) as served:
            await pulled(served, "pause", f"?ns={K8S}")
            await pulled(served, "pause", f"?ns={SECRET}")
        registries[SECRET]["private"] = True
        auth = {"htpasswd": str(users)}
        async with serving(tmp_path, registries=registries, trust=trust, auth=auth) as served:
            path = f"/status/image?name={K8S}/pause:1"
            page = (await get(served, path)).body.decode()
            token = (tmp_path / "cache" / "admin-token").read_text().strip()
            login = await send(served, "login", f"token={token}")
            cookie = (login.header("Set-Cookie") or "").partition(";")[0]
            insiders = (await get(served, path, ("Cookie", cookie))).body.decode()
    for told in ("known in advance", str(held.digest), "honest", "&lt;i&gt;a test, 2026-11-28"):
        assert told in page
    assert re.search(r"<b>liar</b>.*?refused", page, re.DOTALL)
    # Where the pins lie and what private registries have is for those who have logged in.
    for hidden in (f"{SECRET}/pause:1", "pins.yaml:5"):
        assert hidden not in page
        assert hidden in insiders


async def test_the_way_to_the_next_page_names_nothing_private(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "IMAGES", 2)
    names = ["quay.test/a", f"{SECRET}/b", f"{SECRET}/c", f"{SECRET}/d", "zone.test/e"]
    registries = {
        "quay.test": registry_settings("http://127.0.0.1:9"),
        SECRET: registry_settings("http://127.0.0.1:9", private=True),
        "zone.test": registry_settings("http://127.0.0.1:9"),
    }
    users = tmp_path / "users"
    users.write_text("alice:$2y$04$EpC4CRj4RhIVTt2GLU8pmejiI7mIwSsVjxH3gMKg6cBBuHbL5uDFq\n")
    auth = {"htpasswd": str(users)}
    one = image(1)
    async with serving(tmp_path, registries=registries, auth=auth) as served:
        intake = served.server.intake
        for name in names:
            for data in one.blobs:
                registry = name.partition("/")[0]
                _ = await intake.take_blob(sha256(data), len(data), registry, pieces(data))
            place = intake.place(f"{name}:1")
            _ = await intake.take_manifest(
                one.digest, one.media_type, one.manifest, place, named=True
            )
        page = (await get(served, "/status")).body.decode()
        assert "quay.test/a:1" in page
        assert "zone.test/e:1" in page
        assert SECRET + "/" not in page
        monkeypatch.setattr(pages, "IMAGES", 1)
        page = (await get(served, "/status")).body.decode()
        assert "after=quay.test/a%3A1" in page
        assert SECRET + "/" not in page
        rest = (await get(served, "/status?after=quay.test/a%3A1")).body.decode()
        assert "zone.test/e:1" in rest
        assert SECRET + "/" not in rest


async def test_who_has_logged_out_is_told_less_from_then_on(tmp_path: Path) -> None:
    data = blob(3_000_000, "slow")
    users = tmp_path / "users"
    users.write_text("alice:$2y$04$EpC4CRj4RhIVTt2GLU8pmejiI7mIwSsVjxH3gMKg6cBBuHbL5uDFq\n")
    async with FakeRegistry(bytes_per_second=200_000) as mirror:
        registries = {SECRET: registry_settings(mirror, private=True)}
        auth = {"htpasswd": str(users)}
        async with serving(tmp_path, registries=registries, auth=auth) as served:
            mirror.put_blob("hidden", data)
            token = (tmp_path / "cache" / "admin-token").read_text().strip()
            login = await send(served, "login", f"token={token}")
            cookie = (login.header("Set-Cookie") or "").partition(";")[0]
            page = (await get(served, "/status", ("Cookie", cookie))).body.decode()
            form = page.partition('name="form" value="')[2].partition('"')[0]
            place = served.server.intake.place(f"{SECRET}/hidden:1")
            deadline = asyncio.get_running_loop().time() + 5
            assert await served.server.services.blobs.fetch(place.image, sha256(data), deadline)
            reader, writer = await asyncio.open_connection(*served.admin.split(":"))
            asked = f"GET /status/events?as=json HTTP/1.1\r\nHost: {served.admin}\r\n"
            writer.write(f"{asked}Cookie: {cookie}\r\n\r\n".encode())
            await reader.readuntil(b'"repository": "hidden"')
            assert (await send(served, "logout", f"form={form}", ("Cookie", cookie))).status == 303
            async with asyncio.timeout(5):
                await reader.readuntil(b'"repository": null')
            writer.close()
            await writer.wait_closed()


async def send(served: Serving, action: str, body: str, *headers: tuple[str, str]) -> Answer:
    async with client(served.admin) as one:
        lines = [
            f"POST /status/{action} HTTP/1.1",
            f"Host: {served.admin}",
            "Content-Type: application/x-www-form-urlencoded",
            f"Content-Length: {len(body)}",
            *(f"{name}: {value}" for name, value in headers),
        ]
        await one.send_bytes("\r\n".join([*lines, "", body]).encode())
        return await one.hear("POST")


async def test_every_answer_is_for_our_own_names_and_under_a_strict_policy(tmp_path: Path) -> None:
    async with serving(tmp_path, "http://127.0.0.1:9") as served:
        for path in ("/status", "/status.json", "/status/style.css", "/status/page.js"):
            answer = await get(served, path)
            policy = answer.header("Content-Security-Policy") or ""
            assert policy.startswith("default-src 'none'")
            assert "unsafe" not in policy
            assert "http" not in policy
            rebound = await get(served, path, ("Host", "evil.test"))
            assert rebound.status == 403


async def test_live_parts_come_as_events(tmp_path: Path) -> None:
    async with serving(tmp_path, "http://127.0.0.1:9") as served:
        for path, wanted in (
            ("/status/events", ["totals", "fills", "mirrors", "plots"]),
            ("/status/events?as=json", ["status"]),
        ):
            async with client(served.admin) as one:
                await one.send("GET", path)
                head = await one.hear_head()
                assert head.header("Content-Type") == "text/event-stream"
                seen: list[str] = []
                while len(seen) < len(wanted):
                    line = (await one.reader.readline()).decode()
                    if line.startswith("event: "):
                        seen.append(line.removeprefix("event: ").strip())
                assert seen == wanted
