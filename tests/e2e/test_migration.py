"""docs/migration.md: an old registry:2 gives what it holds, and is not needed afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest

from fakes.registry import FakeRegistry
from laboratory import hosts_toml, two_platforms
from programs.containerd import Containerd
from programs.docker_registry import DockerRegistry
from programs.entrepot import Entrepot

pytestmark = pytest.mark.e2e

NAME = "docker.io/library/nginx:1.27"


async def test_what_an_old_proxy_holds_is_not_fetched_a_second_time(tmp_path: Path) -> None:
    nginx = two_platforms("nginx")
    # distribution says what it takes in several headers, of which the mirror here reads one.
    async with FakeRegistry(negotiates=False) as hub:
        hub.put_image("library/nginx", "1.27", nginx)
        async with DockerRegistry(tmp_path / "old", proxy_of=hub.url) as old:
            await _pull(tmp_path / "before", old.url)
            hub.clear()
            mirrors = [old.url, {"url": hub.url, "authority": True}]
            settings = {"registries": {"docker.io": {"mirrors": mirrors}}}
            async with Entrepot(settings, tmp_path / "entrepot") as entrepot:
                assert await _pull(tmp_path / "first", entrepot.url) == str(nginx.digest)
                assert hub.asked("/blobs/") == []
                await old.stop()
                await hub.stop()
                assert await _pull(tmp_path / "second", entrepot.url) == str(nginx.digest)


async def _pull(directory: Path, url: str) -> str:
    async with Containerd(directory) as node:
        node.hosts_toml("docker.io", hosts_toml(url, only=True))
        return await node.pull(NAME)
