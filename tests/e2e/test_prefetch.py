"""Filled before the train ride, broken off and gone on with, and then pulled with no network."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from carrying import NAME, REGISTRY, Site
from entrepot.config.kubernetes import kubernetes_images
from fakes.images import image, index
from fakes.registry import FakeRegistry

pytestmark = pytest.mark.e2e

VERSIONS = ("v1.18.20", "v1.24.9", "v1.30.5")
PLATFORMS = ("linux/amd64", "linux/arm64")
LAYER_BYTES = 300_000


_TABLE = kubernetes_images()
WANTED = list(dict.fromkeys((*(n for v in VERSIONS for n in _TABLE.images(v)), *_TABLE.sandboxes)))


@pytest.fixture
async def mirror() -> AsyncIterator[FakeRegistry]:
    """Everything that kubeadm wants of three versions, for three platforms each."""
    async with FakeRegistry() as mirror:
        for name in WANTED:
            repository, _, tag = name.partition("/")[2].rpartition(":")
            root = {"etc/name": (0o644, name.encode() * 10)}
            parts = [
                image(name, platform=platform, rootfs=root, layers=())
                for platform in (*PLATFORMS, "linux/s390x")
            ]
            mirror.put_image(repository, tag, index(parts))
        yield mirror


async def test_three_versions_of_kubernetes_interrupted_resumed_and_pulled_offline(
    mirror: FakeRegistry, tmp_path: Path
) -> None:
    options = [word for version in VERSIONS for word in ("--kubernetes", version)]
    command = ("prefetch", *options, "--platform", ",".join(PLATFORMS))
    async with Site(tmp_path / "site", mirror.url) as site:
        mirror.bytes_per_second = 40_000.0
        process = await site.begin(*command)
        await _until_some_came(mirror, 30)
        process.kill()
        await process.wait()
        await site.server.kill()
        began = len(mirror.asked("/blobs/", "GET"))
        assert began < 2 * 2 * len(WANTED)
        mirror.bytes_per_second = None
        mirror.clear()
        await site.start()
        told = await site.json(*command)
        assert [one["state"] for one in told["images"]] == ["done"] * len(WANTED)
        again = {request.path for request in mirror.asked("/blobs/", "GET")}
        print(f"{began} blobs asked for before the kill, {len(again)} after")
        assert len(again) < 2 * 2 * len(WANTED)
        mirror.clear()
        told = await site.json(*command)
        assert sum(one["fetched"] for one in told["images"]) == 0
        assert mirror.asked("/blobs/", "GET") == []
        await site.run("offline", "on")
        await mirror.stop()
        async with site.node("node") as node:
            for name in WANTED:
                for platform in PLATFORMS:
                    await node.pull(name, "--platform", platform)
        refused = await site.run(
            "export",
            WANTED[0],
            "--platform",
            "linux/s390x",
            "-o",
            str(tmp_path / "no.tar"),
            status=1,
        )
        assert "linux/s390x is not complete here" in refused
        carried = tmp_path / "k8s.tar"
        await site.run("export", *options, "--platform", ",".join(PLATFORMS), "-o", str(carried))
    async with Site(tmp_path / "other") as other:
        told = await other.json("import", str(carried))
        assert sum(len(one["names"]) for one in told["images"]) == len(WANTED)


async def _until_some_came(mirror: FakeRegistry, count: int) -> None:
    async with asyncio.timeout(20):
        while len(mirror.asked("/blobs/", "GET")) < count:
            await asyncio.sleep(0.01)


async def test_an_entrepot_is_a_mirror_of_another(mirror: FakeRegistry, tmp_path: Path) -> None:
    """By path, as any other mirror; what the far one holds is enough."""
    name = WANTED[0]
    async with Site(tmp_path / "far", mirror.url) as far:
        await far.run("prefetch", name, "--platform", "linux/amd64")
        await far.run("offline", "on")
        chained = {"url": far.url, "repository": "{registry}/{repository}"}
        async with Site(tmp_path / "near", chained) as near, near.node("node") as node:
            mirror.clear()
            digest = await node.pull(name)
            [told] = (await near.json("ls", name))["images"]
            assert told["digest"] == digest
            assert mirror.requests == []


async def test_a_stopped_cache_is_filled_by_the_command_itself(tmp_path: Path) -> None:
    both = index([image("s", platform=platform) for platform in PLATFORMS])
    async with FakeRegistry() as mirror:
        mirror.put_image("app", "1", both)
        async with Site(tmp_path / "site", mirror.url) as site:
            await site.stop()
            file = tmp_path / "list"
            await asyncio.to_thread(file.write_text, f"# ours\n{NAME}\n{REGISTRY}/none:1\n")
            out, err = await site.both("prefetch", "-f", str(file), "--platform", "arm64", status=1)
            assert out.startswith(f"{NAME}  ")
            assert f"Error: {REGISTRY}/none:1: " in err
            mirror.clear()
            await site.start()
            [told] = (await site.json("ls"))["images"]
            whole = {one["platform"]: one["complete"] for one in told["platforms"]}
            assert whole == {"linux/amd64": False, "linux/arm64": True}


async def test_left_to_the_server_it_goes_on_by_itself(tmp_path: Path) -> None:
    async with FakeRegistry() as mirror:
        mirror.put_image("app", "1", image("b"))
        async with Site(tmp_path / "site", mirror.url) as site:
            job = await site.json("prefetch", NAME, "--background")
            assert job["id"] == 1
            async with asyncio.timeout(10):
                while not json.loads(await site.run("ls", "--json"))["images"]:
                    await asyncio.sleep(0.05)


@pytest.mark.parametrize("running", [True, False], ids=["running", "stopped"])
async def test_interrupted_at_the_keyboard_it_ends_everywhere(
    tmp_path: Path, running: bool
) -> None:
    big = image("big", layers=(3_000_000,))
    async with FakeRegistry() as mirror:
        mirror.put_image("app", "1", big)
        mirror.bytes_per_second = 500_000.0
        async with Site(tmp_path / "site", mirror.url) as site:
            if not running:
                await site.stop()
            process = await site.begin("prefetch", NAME)
            await mirror.until_sent(500_000, "/blobs/")
            process.send_signal(signal.SIGINT)
            async with asyncio.timeout(10):
                _, err = await process.communicate()
            assert process.returncode == 1
            assert b"what was fetched is kept, and the same command goes on from there" in err
            await mirror.until_idle()
            [listed] = (await site.json("ls"))["images"]
            [begun] = listed["platforms"]
            assert 300_000 < begun["bytes_begun"] < begun["bytes_total"]
            assert "INCOMPLETE 0%" not in await site.run("ls")
            mirror.bytes_per_second = None
            mirror.clear()
            if not running:
                await site.start()
            told = await site.json("prefetch", NAME)
            assert [one["state"] for one in told["images"]] == ["done"]
            assert told["images"][0]["fetched"] <= mirror.bytes_sent("/blobs/") < 2_900_000
