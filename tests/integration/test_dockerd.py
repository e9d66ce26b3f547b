"""A real dockerd pulls from docker.io through Entrepot, its registry mirror."""

from __future__ import annotations

from pathlib import Path

import pytest

from laboratory import Laboratory, two_platforms
from programs.dockerd import Dockerd

pytestmark = pytest.mark.integration


@pytest.mark.rule("S-1", "S-5", "S-8", "D-1", "D-2", "D-3", "D-4", "D-5")
async def test_dockerd_pulls_from_its_registry_mirror(tmp_path: Path) -> None:
    """It says which repository, never which registry: docker.io is the only one it mirrors.

    A mirror with a path, the contract's other row, is refused by dockerd 20.10 at start.
    """
    async with (
        Laboratory(tmp_path, two_platforms("dockerd"), default="docker.io") as laboratory,
        laboratory.node() as containerd,
        Dockerd(
            tmp_path / "dockerd",
            containerd,
            mirrors=[laboratory.url],
            environment=laboratory.environment,
        ) as dockerd,
    ):
        await dockerd.pull("docker.io/library/pause", "3.1")
        assert await dockerd.repo_digests("pause:3.1") == [f"pause@{laboratory.digest}"]
