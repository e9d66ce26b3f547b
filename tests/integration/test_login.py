"""Passwords and podman, skopeo and buildah: they show theirs only if `/v2/` asks for it."""

from __future__ import annotations

from pathlib import Path

import bcrypt
import pytest

from laboratory import Laboratory, two_platforms
from programs.podman import Podman

pytestmark = pytest.mark.integration

PLAIN_HTTP = "--tls-verify=false"


def users(directory: Path) -> Path:
    """A file of passwords in which alice has `wonder`."""
    path = directory / "users"
    path.write_text(f"alice:{bcrypt.hashpw(b'wonder', bcrypt.gensalt(4)).decode()}\n")
    return path


@pytest.mark.rule("P27", "S-8")
async def test_a_private_registry_and_a_public_one_with_podman_and_skopeo(tmp_path: Path) -> None:
    index = two_platforms("login")
    async with (
        Laboratory(tmp_path, index, users=users(tmp_path)) as laboratory,
        Podman(tmp_path / "tools", environment=laboratory.environment) as tools,
    ):
        host = laboratory.host
        public, private = f"{host}/k8s.gcr.io/pause:3.1", f"{host}/docker.io/library/pause:3.1"
        file = f"--authfile={tmp_path}/auth.json"
        login = ("login", PLAIN_HTTP, file, "--username=alice", host)

        async def pull(image: str) -> None:
            await tools.podman("pull", *tools.trusting, PLAIN_HTTP, file, image)

        async def inspect(image: str) -> None:
            await tools.skopeo("inspect", "--raw", PLAIN_HTTP, file, f"docker://{image}")

        (tmp_path / "auth.json").write_text("{}")
        for ask in (inspect, pull):
            await ask(public)
            with pytest.raises(RuntimeError, match=r"unauthorized|authentication|401"):
                await ask(private)
        with pytest.raises(RuntimeError, match="invalid username/password"):
            await tools.podman(*login, "--password=alice")
        await tools.podman(*login, "--password=wonder")
        for ask in (inspect, pull):
            await ask(private)
            await ask(public)
