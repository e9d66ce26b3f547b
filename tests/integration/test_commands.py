"""`entrepot ls` and its like, as processes: on a server that runs, and on what it left."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fakes.images import Image, Index, image, index
from fakes.registry import FakeRegistry
from programs.entrepot import Entrepot
from unit.store.keeping import rot
from wire.client import Answer, ask

pytestmark = pytest.mark.integration

BASE = {"bin/base": (0o755, b"needed by both" * 1000)}
ONE = image("one", rootfs=BASE, layers=(5_000,))
TWO = image("two", rootfs=BASE, layers=(6_000,))
MANY = index([image("many", platform=name) for name in ("linux/amd64", "linux/arm64")])
APP = "registry.k8s.io/app"


@dataclass(slots=True)
class Site:
    """A mirror and a server in front of it."""

    mirror: FakeRegistry
    server: Entrepot
    directory: Path

    async def pull(self, tag: str, wanted: Image | Index) -> None:
        """Everything of an image; of an index only its first platform."""
        await self.get(f"app/manifests/{tag}")
        chosen = wanted if isinstance(wanted, Image) else wanted.images[0]
        if chosen is not wanted:
            await self.get(f"app/manifests/{chosen.digest}")
        for data in json.loads(chosen.manifest)["layers"], [json.loads(chosen.manifest)["config"]]:
            for one in data:
                await self.get(f"app/blobs/{one['digest']}")

    async def get(self, path: str) -> Answer:
        address = self.server.url.removeprefix("http://")
        answer = await ask(address, "GET", f"/v2/{path}?ns=k8s.gcr.io")
        assert answer.status == 200, answer.body
        return answer

    async def run(self, *words: str, status: int = 0) -> str:
        """`entrepot` with the server's configuration; what it wrote to standard output."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "entrepot",
            *words,
            "--config",
            str(self.directory / "entrepot.yaml"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        assert process.returncode == status, (words, out.decode(), err.decode())
        return out.decode() if status != 2 else err.decode()

    async def json(self, *words: str, status: int = 0) -> Any:
        return json.loads(await self.run(*words, "--json", status=status))

    async def names(self) -> list[str]:
        return [one["name"] for one in (await self.json("ls"))["images"]]


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with FakeRegistry() as mirror:
        mirror.put_image("app", "1", ONE)
        mirror.put_image("app", "2", TWO)
        mirror.put_image("app", "many", MANY)
        registries = {"registry.k8s.io": {"mirrors": [mirror.url], "aliases": ["k8s.gcr.io"]}}
        async with Entrepot({"registries": registries}, tmp_path) as server:
            yield Site(mirror, server, tmp_path)


async def test_ls_tells_the_same_running_and_stopped(site: Site) -> None:
    await site.pull("1", ONE)
    await site.pull("many", MANY)
    running = await site.json("ls")
    table = await site.run("ls", "k8s.gcr.io/app:many")
    await site.server.stop()
    assert await site.json("ls") == running
    assert await site.run("ls", "app:many") == table
    one, many = running["images"]
    assert (one["name"], one["complete"], one["mirror"]) == (f"{APP}:1", True, site.mirror.host)
    assert one["size"] == len(ONE.manifest) + sum(map(len, ONE.blobs))
    assert one["used_at"] is not None
    assert [each["complete"] for each in many["platforms"]] == [True, False]
    assert table.splitlines()[1].split("  ")[:2] == [f"{APP}:many", "linux/amd64 (+1 not here)"]
    assert "nothing matches" not in await site.run("ls", "none/such", status=1)


@pytest.mark.parametrize("running", [True, False], ids=["running", "stopped"])
async def test_rm_leaves_what_others_need(site: Site, running: bool) -> None:
    await site.pull("1", ONE)
    await site.pull("2", TWO)
    if not running:
        await site.server.stop()
    [told] = (await site.json("rm", "k8s.gcr.io/app:1"))["removed"]
    assert told["names"] == [f"{APP}:1"]
    assert (told["freed"]["blobs"], told["shared"]["blobs"]) == (3, 1)
    assert told["shared"]["bytes"] == len(ONE.layers[0])
    assert await site.names() == [f"{APP}:2"]
    assert await site.run("rm", f"{APP}:1", status=1) == ""
    if not running:
        await site.server.start()
    site.mirror.clear()
    await site.pull("2", TWO)
    assert not site.mirror.asked("/blobs/")
    await site.pull("1", ONE)
    assert len(site.mirror.asked("/blobs/", "GET")) == 2


@pytest.mark.parametrize("running", [True, False], ids=["running", "stopped"])
async def test_gc_takes_what_belongs_to_no_image(site: Site, running: bool) -> None:
    await site.pull("1", ONE)
    await site.get(f"app/blobs/{_own(TWO)}")
    if not running:
        await site.server.stop()
    told = await site.json("gc")
    assert (told["orphans"], told["freed_bytes"]) == (1, 6_000)
    assert (await site.json("gc"))["orphans"] == 0
    assert "verify" not in await site.run("verify", f"{APP}:1")


def _own(one: Image) -> str:
    return str(json.loads(one.manifest)["layers"][1]["digest"])


@pytest.mark.parametrize("running", [True, False], ids=["running", "stopped"])
async def test_verify_finds_a_flipped_bit_and_the_next_pull_heals_it(
    site: Site, running: bool
) -> None:
    await site.pull("1", ONE)
    await site.pull("2", TWO)
    digest = _own(ONE)
    if not running:
        await site.server.stop()
    hexes = digest.removeprefix("sha256:")
    rot(site.server.cache / "blobs" / "sha256" / hexes[:2] / hexes, 4000)
    assert "0 rotten" in await site.run("verify", f"{APP}:2")
    found = await site.run("verify", status=1)
    assert f"{digest} was rotten" in found
    assert f"  of {APP}:1" in found
    assert (await site.json("ls", f"{APP}:1"))["images"][0]["complete"] is False
    if not running:
        await site.server.start()
    await site.pull("1", ONE)
    assert "0 rotten" in await site.run("verify")
    assert (await site.json("ls", f"{APP}:1"))["images"][0]["complete"] is True


async def test_offline_and_online_again_while_it_runs(site: Site) -> None:
    await site.pull("1", ONE)
    assert await site.run("offline") == "online\n"
    assert await site.run("offline", "on") == "offline\n"
    site.mirror.clear()
    await site.pull("1", ONE)
    address = site.server.url.removeprefix("http://")
    refused = await ask(address, "GET", "/v2/app/manifests/2?ns=k8s.gcr.io")
    assert refused.status == 503
    assert site.mirror.requests == []
    assert await site.run("offline", "off") == "online\n"
    await site.pull("2", TWO)
    assert site.mirror.requests


async def test_offline_is_nothing_for_a_directory(site: Site) -> None:
    await site.server.stop()
    assert await site.run("offline", "on", status=1) == ""


async def test_keeps_are_told_and_taken_back(site: Site) -> None:
    assert await site.run("keep", "k8s.gcr.io/pause") == "kept: registry.k8s.io/pause\n"
    await site.server.stop()
    assert (await site.json("keep"))["told"] == ["registry.k8s.io/pause"]
    assert await site.run("keep", "--remove", "k8s.gcr.io/pause") != ""
    assert await site.run("keep", "--remove", "k8s.gcr.io/pause", status=1) == ""
    assert "not a pattern" in await site.run("keep", "k8s.gcr.io/UPPER", status=2)


async def test_scrub_goes_on_in_the_server_or_to_the_end_without(site: Site) -> None:
    await site.pull("1", ONE)
    for _ in range(2):
        told = await site.run("scrub", "now")
        assert re.fullmatch(
            r"a round (has begun|was going on already): `entrepot scrub` tells when it has ended\n",
            told,
        ), "nothing of the round before"
    async with asyncio.timeout(10):
        while "last complete round: just now" not in await site.run("scrub"):
            await asyncio.sleep(0.1)
    await site.server.stop()
    told = await site.json("scrub", "now")
    assert (told["running"], told["blobs"], told["rotten"]) == (False, 4, 0)


async def test_a_killed_server_is_swept_after_a_command(site: Site) -> None:
    """A short command on what a killed server left is no good end of it."""
    await site.run("gc")
    await site.server.stop()
    await site.server.start()
    await site.server.kill()
    await site.run("ls")
    assert not (site.server.cache / "clean").exists()
    await site.run("gc")
    assert (site.server.cache / "clean").exists()


async def test_a_server_whose_admin_listener_is_elsewhere_is_named(site: Site) -> None:
    file = site.directory / "entrepot.yaml"
    document = json.loads(file.read_text())
    for admin, told in (("127.0.0.1:9", "nobody answers"), ("none", "switched off")):
        file.write_text(json.dumps(document | {"admin": admin}))
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "entrepot", "ls", "--config", str(file)),
            stderr=asyncio.subprocess.PIPE,
        )
        _, err = await process.communicate()
        assert process.returncode in {1, 2}
        assert told in err.decode()
        assert f"process {site.server.pid}" in err.decode()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/images"),
        ("DELETE", "/v1/images?name=registry.k8s.io/app:1"),
        ("POST", "/v1/gc"),
        ("POST", "/v1/verify"),
        ("PUT", "/v1/offline"),
    ],
)
async def test_nothing_without_the_token_or_by_another_name(
    site: Site, method: str, path: str
) -> None:
    address = site.server.admin_url.removeprefix("http://")
    token = (site.server.cache / "admin-token").read_text().strip()
    assert (await ask(address, method, path)).status == 401
    headers = (("Host", "rebound.example"), ("Authorization", f"Bearer {token}"))
    assert (await ask(address, method, path, *headers)).status == 403
