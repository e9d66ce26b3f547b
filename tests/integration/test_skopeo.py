"""skopeo names Entrepot itself, with the registry as the first part of the path (S3)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from fakes.images import sha256
from laboratory import Laboratory, two_platforms
from programs.podman import Podman

pytestmark = pytest.mark.integration

PLAIN_HTTP = "--src-tls-verify=false"


@asynccontextmanager
async def laboratory_and_skopeo(directory: Path) -> AsyncIterator[tuple[Laboratory, Podman]]:
    """Both started, both gone afterwards."""
    async with (
        Laboratory(directory, two_platforms("skopeo")) as laboratory,
        Podman(directory / "skopeo", environment=laboratory.environment) as tools,
    ):
        yield laboratory, tools


@pytest.mark.rule("S-1", "S-8", "P-2", "F-1")
async def test_copy_keeps_every_byte_of_every_platform(tmp_path: Path) -> None:
    async with laboratory_and_skopeo(tmp_path) as (laboratory, tools):
        source = f"docker://{laboratory.host}/k8s.gcr.io/pause:3.1"
        await tools.skopeo("copy", "--all", PLAIN_HTTP, source, f"dir:{tmp_path}/copy")
        copy = tmp_path / "copy"
        assert (copy / "manifest.json").read_bytes() == laboratory.index.manifest
        for one in laboratory.index.images:
            assert (copy / f"{one.digest.hex}.manifest.json").read_bytes() == one.manifest
            for blob in one.blobs:
                assert (copy / sha256(blob).hex).read_bytes() == blob


@pytest.mark.rule("S-1", "P-2")
async def test_copy_into_an_oci_layout_one_platform(tmp_path: Path) -> None:
    """skopeo makes an OCI manifest of the docker one; the layers stay as they are."""
    async with laboratory_and_skopeo(tmp_path) as (laboratory, tools):
        source = f"docker://{laboratory.host}/k8s.gcr.io/pause:3.1"
        await tools.skopeo(
            "--override-arch=arm64", "copy", PLAIN_HTTP, source, f"oci:{tmp_path}/oci:pause"
        )
        layout = tmp_path / "oci" / "blobs" / "sha256"
        (arm,) = (one for one in laboratory.index.images if one.platform == "linux/arm64")
        for layer in arm.layers:
            assert (layout / sha256(layer).hex).read_bytes() == layer


@pytest.mark.rule("S-1", "M-3", "N-2")
async def test_inspect_tells_digest_and_tags(tmp_path: Path) -> None:
    async with laboratory_and_skopeo(tmp_path) as (laboratory, tools):
        image_name = f"docker://{laboratory.host}/k8s.gcr.io/pause:3.1"
        said = json.loads(await tools.skopeo("inspect", "--tls-verify=false", image_name))
        assert said["Digest"] == laboratory.digest
        assert said["RepoTags"] == ["3.1"]
        raw = await tools.skopeo("inspect", "--raw", "--tls-verify=false", image_name)
        assert raw.encode() == laboratory.index.manifest


@pytest.mark.rule("E-2", "E-4")
async def test_a_tag_nobody_has_is_reported_by_its_code(tmp_path: Path) -> None:
    async with laboratory_and_skopeo(tmp_path) as (laboratory, tools):
        image_name = f"docker://{laboratory.host}/k8s.gcr.io/pause:9.9"
        with pytest.raises(RuntimeError, match="manifest unknown"):
            await tools.skopeo("inspect", "--tls-verify=false", image_name)
