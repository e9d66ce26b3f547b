"""`entrepot prefetch` into a cache directory that no server uses."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from entrepot.cli.kubernetes import images_for
from fakes.fault import Fault
from fakes.images import image, index
from fakes.registry import FakeRegistry
from programs.entrepot import PLAIN_TRUST
from unit.cli.stopped import Stopped
from unit.store.keeping import REGISTRY

BOTH = index([image("p", platform=each) for each in ("linux/amd64", "linux/arm64")])
APP = f"{REGISTRY}/app:1"


@pytest.fixture
async def mirror(stopped: Stopped) -> AsyncIterator[FakeRegistry]:
    async with FakeRegistry() as mirror:
        mirror.put_image("app", "1", BOTH)
        await asyncio.to_thread(stopped.configure, registries={REGISTRY: {"mirrors": [mirror.url]}})
        yield mirror


async def test_images_are_fetched_and_told(stopped: Stopped, mirror: FakeRegistry) -> None:
    result = await stopped.run("prefetch", APP, "--all-platforms")
    assert (result.exit_code, result.stderr) == (0, "")
    image_line, last = result.stdout.splitlines()
    assert image_line.startswith(f"{APP}  ")
    assert image_line.endswith(" fetched")
    assert last.startswith("1 image here, ")
    mirror.clear()
    told = json.loads((await stopped.run("prefetch", APP, "--platform", "arm64", "--json")).stdout)
    assert told["platforms"] == ["linux/arm64"]
    assert [(one["state"], one["fetched"]) for one in told["images"]] == [("done", 0)]
    assert mirror.asked("/blobs/") == []
    assert "was here" in (await stopped.run("prefetch", APP, "--platform", "arm64")).stdout


async def test_what_cannot_be_had_is_status_1(stopped: Stopped, mirror: FakeRegistry) -> None:
    result = await stopped.run("prefetch", APP, f"{REGISTRY}/none:1", "--platform", "amd64")
    assert result.exit_code == 1
    assert f"Error: {REGISTRY}/none:1: " in result.stderr
    assert result.stdout.splitlines()[-1].endswith("1 failed")
    assert mirror.requests


async def test_sandboxes_that_kubeadm_does_not_pull_are_wanted_and_not_required(
    stopped: Stopped, mirror: FakeRegistry, tmp_path: Path
) -> None:
    """A mirror that lacks old ones, or says so by 403 or 500, is good enough for a version."""
    needed = images_for(("v1.30.5",))
    for name in (*needed.images, needed.extras[0]):
        repository, _, tag = name.partition("/")[2].rpartition(":")
        mirror.put_image(repository, tag, image(name))
    mirror.fault(Fault("status", path="/pause/manifests/3.6", status=500, times=None))
    registries = {"registry.k8s.io": {"mirrors": [mirror.url]}}
    await asyncio.to_thread(stopped.configure, registries=registries, trust=PLAIN_TRUST)
    words = ("--kubernetes", "v1.30.5", "--platform", "amd64")
    result = await stopped.run("prefetch", *words)
    assert result.exit_code == 0, result.output
    lost = len(needed.extras) - 1
    assert result.stdout.splitlines()[-1].endswith(f" fetched, 0 failed, {lost} done without")
    assert result.stderr.count("; kubeadm does not need it\n") == lost
    assert "again in" not in result.stderr
    file = tmp_path / "out.tar"
    exported = await stopped.run("export", *words, "-o", str(file))
    assert exported.exit_code == 0, exported.output
    [line] = exported.stderr.splitlines()
    assert line.startswith("not here whole, and kubeadm does not need it: registry.k8s.io/pause:")
    assert f"{needed.extras[0]}," not in line
    told = json.loads((await stopped.run("export", *words, "--json", "-o", str(file))).stdout)
    assert {one["name"] for one in told["images"]} == {*needed.images, needed.extras[0]}
    assert [one["name"] for one in told["left_out"]] == list(needed.extras[1:])
    result = await stopped.run("prefetch", *words, needed.extras[1])
    assert (result.exit_code, result.stdout.count("1 failed")) == (1, 1)
    await stopped.run("rm", needed.images[0])
    assert (await stopped.run("export", *words, "-o", str(file))).exit_code == 1


async def test_an_image_of_another_registry_is_named(
    stopped: Stopped, mirror: FakeRegistry
) -> None:
    """A bare name is of Docker Hub."""
    registries = {name: {"mirrors": [mirror.url]} for name in ("registry.k8s.io", "docker.io")}
    await asyncio.to_thread(stopped.configure, registries=registries)
    result = await stopped.run("prefetch", "pause:3.1", "pause:none", "--platform", "amd64")
    assert result.exit_code == 1
    assert "docker.io/library/pause:3.1: did you mean registry.k8s.io/pause:3.1?" in result.stderr
    assert result.stderr.count("did you mean") == 1


async def test_files_are_read_and_what_is_left_out_is_told(
    stopped: Stopped, mirror: FakeRegistry, tmp_path: Path
) -> None:
    file = tmp_path / "compose.yaml"
    text = f"services: {{a: {{image: '{APP}'}}, b: {{build: .}}}}"
    await asyncio.to_thread(file.write_text, text)
    result = await stopped.run("prefetch", "-f", str(file), "--platform", "amd64")
    assert result.exit_code == 0
    assert f"{file}: service b: is built, not pulled" in result.stderr
    assert mirror.requests


async def test_nothing_to_fetch_or_nobody_to_leave_it_to_is_misuse(stopped: Stopped) -> None:
    assert (await stopped.run("prefetch")).exit_code == 2
    result = await stopped.run("prefetch", APP, "--background")
    assert (result.exit_code, "no server runs" in result.stderr) == (2, True)
