"""Docker and passwords: it says who it is only to a mirror that asks for a password everywhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from laboratory import Laboratory, two_platforms
from programs.dockerd import Dockerd

pytestmark = pytest.mark.integration


@pytest.mark.rule("A-3", "S-8")
async def test_without_a_login_docker_pulls_what_is_not_private(tmp_path: Path) -> None:
    """A ping that asked it for a password would have it take nothing any more."""
    users = tmp_path / "users"
    users.write_text("alice:$2b$04$abcdefghijklmnopqrstuuEYBsEJGLyb7gVbFMEpQSAXS8AyQnYEm\n")
    async with (
        Laboratory(tmp_path, two_platforms("docker-login"), users=users) as laboratory,
        laboratory.node() as containerd,
        Dockerd(
            tmp_path / "dockerd", containerd, mirrors=[], environment=laboratory.environment
        ) as dockerd,
    ):
        await dockerd.pull(f"{laboratory.host}/k8s.gcr.io/pause", "3.1")
        with pytest.raises(RuntimeError, match=r"unauthorized|password"):
            await dockerd.pull(f"{laboratory.host}/docker.io/library/pause", "3.1")
