"""podman and buildah, told of Entrepot in registries.conf; their storage is vfs, no mounts."""

from __future__ import annotations

from pathlib import Path

import pytest

from laboratory import IMAGE, Laboratory, two_platforms
from programs.podman import Podman, mirrored

pytestmark = pytest.mark.integration


def tools(laboratory: Laboratory, location: str, name: str = "tools") -> Podman:
    """Empty storage, and `location` as the mirror of k8s.gcr.io."""
    return Podman(
        laboratory.directory / name,
        mirrored("k8s.gcr.io", location),
        environment=laboratory.environment,
    )


async def pulled_by_podman(podman: Podman) -> str:
    """Pull `IMAGE`; the digest podman has it under."""
    await podman.podman("pull", *podman.trusting, IMAGE)
    return (await podman.podman("image", "inspect", "--format", "{{.Digest}}", IMAGE)).strip()


@pytest.mark.rule("S-1", "S-8", "C-8", "P-1", "P-2")
async def test_podman_pulls_from_a_mirror_with_the_registry_in_its_path(tmp_path: Path) -> None:
    """It tries TLS on the plain port first, then pings, then GETs the manifest."""
    async with (
        Laboratory(tmp_path, two_platforms("podman")) as laboratory,
        tools(laboratory, f"{laboratory.host}/k8s.gcr.io") as podman,
    ):
        assert await pulled_by_podman(podman) == laboratory.digest


@pytest.mark.rule("P-1", "U-12")
async def test_podman_pulls_again_when_every_mirror_is_gone(tmp_path: Path) -> None:
    """A second storage, after a restart."""
    async with Laboratory(tmp_path, two_platforms("podman"), dead_mirrors=True) as laboratory:
        for name in ("first", "second"):
            async with tools(laboratory, f"{laboratory.host}/k8s.gcr.io", name) as podman:
                assert await pulled_by_podman(podman) == laboratory.digest
            if name == "first":
                await laboratory.stop_mirrors()
                await laboratory.entrepot.restart()


@pytest.mark.rule("S-1", "S-5", "P-1")
async def test_buildah_pulls_from_a_mirror_that_is_told_no_registry(tmp_path: Path) -> None:
    """The bare form: which registry is meant, Entrepot knows from the Host header."""
    async with (
        Laboratory(tmp_path, two_platforms("buildah"), default="k8s.gcr.io") as laboratory,
        tools(laboratory, laboratory.host) as buildah,
    ):
        await buildah.buildah("pull", *buildah.trusting, IMAGE)
        names = await buildah.buildah("images", "--format", "{{.Name}} {{.Digest}}")
        assert names.split() == ["k8s.gcr.io/pause", laboratory.digest]
