"""docs/quickstart.md, line by line as it stands there, on a real containerd."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import pytest

from documentation import ROOT, blocks
from laboratory import IMAGE, Laboratory
from programs import require_program
from programs.containerd import Containerd
from programs.node import Node

pytestmark = pytest.mark.e2e

LINES = [
    line.strip()
    for block in blocks((ROOT / "docs" / "quickstart.md").read_text())
    for line in block.splitlines()
]


def line(part: str) -> str:
    """The one line of the page that has this in it."""
    (found,) = (one for one in LINES if part in one)
    return found


async def test_a_node_is_set_up_pulls_and_is_as_before(
    laboratory: Laboratory, tmp_path: Path
) -> None:
    node = Node(tmp_path / "node")
    require_program("curl")

    async def say(command: str, address: str = "") -> str:
        """Run it as typed; only where things are differs from the page."""
        command = command.replace("10.0.0.5:5000", laboratory.host)
        command = command.replace("/etc/", f"{node.root}/etc/")
        containerd = f"CONTAINERD_ADDRESS={shlex.quote(address)}; export CONTAINERD_ADDRESS;"
        return await node.command("/bin/sh", "-c", f"{containerd} {command}")

    async with Containerd(
        tmp_path / "fresh",
        sandbox_image=IMAGE,
        environment=laboratory.environment,
        bare_config=node.root / "etc/containerd/config.toml",
    ) as containerd:
        before = node.tree()
        assert "It serves: " in await say(line("curl http"))
        await say(next(one for one in LINES if one.endswith("/setup/containerd.sh | sh")))
        await containerd.restart()
        await say(line("ctr -n k8s.io images pull"), str(containerd.address))
        assert (await containerd.images("k8s.io"))[IMAGE] == laboratory.digest
        await say(line("containerd.sh?strict"))
        await say(line("--remove"))
        assert node.tree() == before


async def test_the_cache_is_filled_ahead_and_looked_at(
    laboratory: Laboratory, tmp_path: Path
) -> None:
    """With an image that the mirror here has, in place of a version of Kubernetes."""
    entrepot = shlex.join([sys.executable, "-m", "entrepot"])
    config = laboratory.directory / "entrepot" / "entrepot.yaml"
    node = Node(tmp_path / "host")

    async def say(typed: str) -> str:
        typed = typed.replace(".venv/bin/entrepot", entrepot)
        typed = typed.replace("--kubernetes v1.30.5", IMAGE)
        return await node.command("/bin/sh", "-c", f"{typed} --config {config}")

    assert "1 image here" in await say(line("entrepot prefetch"))
    assert "registry.k8s.io/pause:3.1" in await say(line("entrepot ls"))
