"""`entrepot pins` as processes: what a server fetched, and what mirrors say, beside pins."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from entrepot.trust.pinloading import load_pin_file
from fakes.images import Image, image
from fakes.registry import FakeRegistry, Fault
from programs.entrepot import Entrepot
from wire.client import ask

pytestmark = pytest.mark.integration

ONE, TWO, OTHER = image("one"), image("two"), image("other")
REGISTRY = "registry.example.com"


@dataclass(slots=True)
class Site:
    """Two mirrors, the owner's and another's, and a server before them."""

    owner: FakeRegistry
    mirror: FakeRegistry
    server: Entrepot
    directory: Path

    async def pull(self, tag: str) -> None:
        address = self.server.url.removeprefix("http://")
        answer = await ask(address, "GET", f"/v2/app/manifests/{tag}?ns={REGISTRY}")
        assert answer.status == 200, answer.body

    async def run(self, *words: str | Path, status: int = 0) -> tuple[str, str]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "entrepot", "pins", *map(str, words)),
            *("--config", str(self.directory / "entrepot.yaml")),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        assert process.returncode == status, (words, out.decode(), err.decode())
        return out.decode(), err.decode()

    def pins(self, **tags: Image) -> Path:
        path = self.directory / "pins.yaml"
        lines = [f"  {REGISTRY}/app:{tag}: {one.digest}\n" for tag, one in tags.items()]
        path.write_text(f"schema: 1\nsource: x\ndate: 2026-11-28\npins:\n{''.join(lines)}")
        return path


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with FakeRegistry() as owner, FakeRegistry() as mirror:
        for tag, one in (("v1.0.0", ONE), ("v2.0.0", TWO)):
            owner.put_image("app", tag, one)
            mirror.put_image("app", tag, OTHER if one is TWO else one)
        mirrors = [
            {"url": owner.url, "name": "owner", "authority": True},
            {"url": mirror.url, "name": "mirror"},
        ]
        registries = {REGISTRY: {"mirrors": mirrors, "aliases": ["example.lan"]}}
        async with Entrepot({"registries": registries}, tmp_path) as server:
            yield Site(owner, mirror, server, tmp_path)


async def check(site: Site, *words: str | Path, status: int = 0) -> Any:
    return json.loads((await site.run("check", *words, "--json", status=status))[0])


@pytest.mark.parametrize("running", [True, False], ids=["running", "stopped"])
async def test_check_tells_what_is_as_pinned_and_what_is_not(site: Site, running: bool) -> None:
    await site.pull("v1.0.0")
    await site.pull("v2.0.0")
    if not running:
        await site.server.stop()
    pins = site.pins(**{"v1.0.0": ONE, "v2.0.0": TWO})
    found = await check(site, "--pins", pins, status=1)
    assert [one["right"] for one in found["cache"]] == [True, True]
    said = {(one["mirror"], one["image"][-6:]): one["right"] for one in found["mirrors"]}
    assert said == {
        ("owner", "v1.0.0"): True,
        ("owner", "v2.0.0"): True,
        ("mirror", "v1.0.0"): True,
        ("mirror", "v2.0.0"): False,
    }
    assert (await check(site, "--pins", pins, "--cache-only"))["mirrors"] == []
    wrong = site.pins(**{"v1.0.0": OTHER})
    out, _ = await site.run("check", "--pins", wrong, "--cache-only", status=1)
    assert f"app:v1.0.0: pinned to {OTHER.digest} in {wrong}:5; the cache has {ONE.digest}" in out
    assert "1 tag in the cache without a pin" in out


async def test_check_asks_for_patterns_and_leaves_alone_who_refuses(site: Site) -> None:
    pins = site.pins(**{f"v{n}.0.0": ONE for n in range(1, 9)})
    found = await check(site, "example.lan/app", "--pins", pins, "--mirrors-only", status=1)
    assert len(found["mirrors"]) == 16
    for one in (site.owner, site.mirror):
        assert len(one.asked("/manifests/", "HEAD")) == 2 + 3
    states = [one["state"] for one in found["mirrors"] if one["mirror"] == "mirror"]
    assert states == ["answers"] * 2 + ["no such tag"] * 3 + ["not asked"] * 3
    assert "refused 3 questions" in found["mirrors"][-1]["note"]


async def test_check_comes_back_no_sooner_than_it_was_told(site: Site) -> None:
    refusal = Fault("status", status=429, headers={"Retry-After": "600"}, times=None)
    site.mirror.fault(refusal)
    pins = site.pins(**{"v1.0.0": ONE, "v2.0.0": TWO})
    found = await check(site, "app", "--pins", pins, "--mirrors-only")
    assert len(site.mirror.requests) == 1
    assert found["mirrors"][-1]["note"].endswith("to be asked again in 600 s")


async def test_lock_of_a_cache_and_of_what_changed(site: Site) -> None:
    lock = site.directory / "images.lock"
    await site.run("lock", "-o", lock, status=1)
    await site.pull("v1.0.0")
    await site.run("lock", "-o", lock)
    assert {pin.image: pin.digests for pin in (await asyncio.to_thread(load_pin_file, lock))} == {
        f"{REGISTRY}/app:v1.0.0": (ONE.digest,)
    }
    before = lock.read_text()
    await site.run("lock", "-o", lock)
    assert lock.read_text() == before
    await site.pull("v2.0.0")
    _, told = await site.run("lock", "-o", lock, "--check", status=1)
    assert f"+ {REGISTRY}/app:v2.0.0" in told
    assert lock.read_text() == before
    await site.run("lock", "-o", lock)
    assert len(await asyncio.to_thread(load_pin_file, lock)) == 2
    await site.run("lock", "-o", lock, "--check")
    await check(site, "--pins", lock, status=1)  # the other mirror's v2.0.0


async def test_lock_of_a_list_asks_the_owner(site: Site) -> None:
    listed = site.directory / "list"
    listed.write_text("# what we run\nexample.lan/app:v1.0.0\nexample.lan/app:v2.0.0  # more\n\n")
    out, _ = await site.run("lock", "-f", listed)
    assert f"  {REGISTRY}/app:v2.0.0: {TWO.digest}  # authority" in out
    assert site.mirror.requests == []
    listed.write_text("# nothing\n")
    await site.run("lock", "-f", listed, status=2)
    await site.run("lock", "elsewhere.example.com/app:1", status=2)
    await site.run("lock", "--mirrors-only", status=2)


async def test_lock_says_what_nobody_vouches_for(site: Site) -> None:
    await site.owner.stop()
    out, err = await site.run("lock", f"{REGISTRY}/app:v2.0.0")
    assert f"{OTHER.digest}  # first" in out
    assert "nobody vouches for 1 digest" in err
    pins = site.pins(**{"v2.0.0": TWO})
    out, _ = await site.run("lock", f"{REGISTRY}/app:v2.0.0", "--pins", pins)
    assert f"{TWO.digest}  # pin" in out
    await site.run("lock", f"{REGISTRY}/app:v9.0.0", status=1)
