"""`entrepot prefetch` into a cache directory that no server uses."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fakes.images import image, index
from fakes.registry import FakeRegistry
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
