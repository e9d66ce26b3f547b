"""The settings from /setup/ are read by the real programs, which pull by them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from entrepot.setup.client import CLIENTS
from entrepot.setup.containers import DROP_IN
from entrepot.setup.endpoint import Endpoint
from entrepot.setup.script import setup_script
from entrepot.setup.wanted import Wanted
from laboratory import IMAGE, Laboratory, two_platforms
from programs.dockerd import Dockerd
from programs.node import Node
from programs.podman import Podman

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("query", ["", "strict"])
@pytest.mark.rule("P-1", "P-2")
async def test_podman_reads_the_drop_in_and_pulls(tmp_path: Path, query: str) -> None:
    node = Node(tmp_path / "node")
    async with Laboratory(tmp_path, two_platforms("podman")) as laboratory:
        url = f"{laboratory.url}/setup/podman.sh?{query}"
        before = node.tree()
        await node.command("/bin/sh", "-c", 'curl -fsSL "$0" | sh', url)
        async with Podman(
            tmp_path / "podman", node.text(DROP_IN), environment=laboratory.environment
        ) as podman:
            await podman.podman("pull", *podman.trusting, IMAGE)
            digest = await podman.podman("image", "inspect", "--format", "{{.Digest}}", IMAGE)
            assert digest.strip() == laboratory.digest
            await podman.buildah("pull", *podman.trusting, IMAGE)
        await node.command("/bin/sh", "-c", 'curl -fsSL "$0" | sh -s -- --remove', url)
        assert node.tree() == before


class SetUpDockerd(Dockerd):
    """A dockerd whose daemon.json somebody else has written."""

    def __init__(self, *arguments: object, daemon_json: str, **more: object) -> None:
        super().__init__(*arguments, **more)  # type: ignore[arg-type]
        self.daemon_json = daemon_json

    def _settings(self) -> dict[str, object]:
        settings = json.loads(self.daemon_json)
        assert isinstance(settings, dict)
        return settings


@pytest.mark.rule("D-1", "D-2")
async def test_dockerd_reads_daemon_json_and_pulls(tmp_path: Path) -> None:
    """What dockerd had in it before is there still: it would not start otherwise."""
    node = Node(tmp_path / "host")
    async with (
        Laboratory(tmp_path, two_platforms("dockerd"), default="docker.io") as laboratory,
        laboratory.node() as containerd,
    ):
        endpoint = Endpoint.parse(laboratory.host)
        wanted = Wanted((endpoint,), ("docker.io",), ports={"docker.io": endpoint.port})
        directory = tmp_path / "dockerd"
        own = Dockerd(directory, containerd, mirrors=[])._settings()
        del own["registry-mirrors"]
        node.put("/etc/docker/daemon.json", json.dumps(own))
        before = node.tree()
        script = setup_script(CLIENTS["docker"], wanted)
        await node.run(script, "--version", "20.10.24")
        async with SetUpDockerd(
            directory,
            containerd,
            mirrors=[],
            environment=laboratory.environment,
            daemon_json=(node.root / "etc/docker/daemon.json").read_text(),
        ) as dockerd:
            await dockerd.pull("docker.io/library/pause", "3.1")
            assert await dockerd.repo_digests("pause:3.1") == [f"pause@{laboratory.digest}"]
        await node.run(script, "--remove")
        assert node.tree() == before
