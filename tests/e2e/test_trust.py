"""Official images of mirrors that write manifests anew: a real registry, a real containerd."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from fakes.images import DOCKER_LIST, DOCKER_MANIFEST, Index, sha256
from laboratory import IMAGE, hosts_toml, two_platforms
from programs.containerd import Containerd
from programs.docker_registry import DockerRegistry
from programs.entrepot import Entrepot

pytestmark = pytest.mark.e2e

DATA = Path(__file__).parents[1] / "data"
INDEX = (DATA / "pause-3.1.index.json").read_bytes()
AMD64 = (DATA / "pause-3.1-amd64.manifest.json").read_bytes()
REPOSITORY = "google_containers/pause"

Way = Callable[[object], str]
WAYS: dict[str, Way] = {
    "compact": lambda parsed: json.dumps(parsed, separators=(",", ":")),
    "2 spaces": lambda parsed: json.dumps(parsed, indent=2),
    "order of keys kept": lambda parsed: json.dumps(parsed, indent=4) + "\n",
}
EVERY_WAY = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())


def written(body: bytes, way: Way) -> bytes:
    return way(json.loads(body)).encode()


def renamed(index: bytes, children: dict[str, bytes], way: Way) -> bytes:
    """Write an index anew, with the digests and sizes that its manifests have by now."""
    parsed = json.loads(index)
    for entry in parsed["manifests"]:
        child = children.get(entry["digest"])
        if child is not None:
            entry |= {"digest": str(sha256(child)), "size": len(child)}
    return way(parsed).encode()


async def push_official(registry: DockerRegistry, way: Way) -> None:
    """Push pause:3.1 as a mirror does that parses and writes again.

    Its layer, its configuration and the other architectures are not here: files of zeros stand
    for them, which nobody is given, for they do not verify.
    """
    manifest = json.loads(AMD64)
    for entry in (manifest["config"], *manifest["layers"]):
        registry.plant(REPOSITORY, entry["digest"], bytes(entry["size"]), manifest=False)
    official = str(sha256(AMD64))
    for entry in json.loads(INDEX)["manifests"]:
        if entry["digest"] != official:
            registry.plant(REPOSITORY, entry["digest"], bytes(entry["size"]), manifest=True)
    amd64 = written(AMD64, way)
    await registry.push_manifest(REPOSITORY, str(sha256(amd64)), amd64, DOCKER_MANIFEST)
    index = renamed(INDEX, {official: amd64}, way)
    await registry.push_manifest(REPOSITORY, "3.1", index, DOCKER_LIST)


async def push_own(registry: DockerRegistry, index: Index, way: Way) -> None:
    """Push an image whole, but for its manifests, which are written anew."""
    children = {}
    for one in index.images:
        for data in one.blobs:
            registry.plant(REPOSITORY, str(sha256(data)), data, manifest=False)
        body = children[str(one.digest)] = written(one.manifest, way)
        await registry.push_manifest(REPOSITORY, str(sha256(body)), body, one.media_type)
    body = renamed(index.manifest, children, way)
    await registry.push_manifest(REPOSITORY, "3.1", body, index.media_type)


def settings(url: str, trust: dict[str, object]) -> dict[str, object]:
    mirror = {"url": url, "repository": "google_containers/{name}"}
    return {
        "registries": {"registry.k8s.io": {"aliases": ["k8s.gcr.io"], "mirrors": [mirror]}},
        "trust": trust,
    }


@EVERY_WAY
async def test_the_official_manifests_come_back_byte_for_byte_by_the_pins_that_are_built_in(
    way: Way, tmp_path: Path
) -> None:
    async with DockerRegistry(tmp_path / "registry") as registry:
        await push_official(registry, way)
        async with (
            Entrepot(settings(registry.url, {}), tmp_path / "entrepot") as entrepot,
            Containerd(tmp_path / "node") as node,
        ):
            node.hosts_toml("k8s.gcr.io", hosts_toml(entrepot.url, only=True))
            hosts = ("--hosts-dir", str(node.certs_d))
            for image, official in (
                (IMAGE, INDEX),
                (f"k8s.gcr.io/pause@{sha256(INDEX)}", INDEX),
                (f"k8s.gcr.io/pause@{sha256(AMD64)}", AMD64),
            ):
                got = await node.ctr("content", "fetch-object", *hosts, image, "")
                assert got.encode() == official
            # What stands there for the layers is never passed on.
            with pytest.raises(RuntimeError):
                await node.pull(IMAGE)
            assert str(sha256(INDEX)).startswith("sha256:f78411e1")


@EVERY_WAY
async def test_a_whole_image_is_pulled_from_a_mirror_that_wrote_its_manifests_anew(
    way: Way, tmp_path: Path
) -> None:
    """With layers of our own, and so with a pin of our own."""
    own = two_platforms("trust")
    pins = tmp_path / "pins.yaml"
    pins.write_text(f"schema: 1\npins:\n  registry.k8s.io/pause:3.1: {own.digest}\n")
    trust: dict[str, object] = {"built_in_pins": False, "pins": [str(pins)]}
    async with DockerRegistry(tmp_path / "registry") as registry:
        await push_own(registry, own, way)
        async with (
            Entrepot(settings(registry.url, trust), tmp_path / "entrepot") as entrepot,
            Containerd(tmp_path / "node") as node,
        ):
            node.hosts_toml("k8s.gcr.io", hosts_toml(entrepot.url, only=True))
            for platform in ("linux/amd64", "linux/arm64"):
                assert await node.pull(IMAGE, "--platform", platform) == str(own.digest)
            held = await node.contents("k8s.io")
            assert {str(one.digest) for one in own.images} <= held


async def test_another_image_under_a_pinned_name_is_not_pulled(tmp_path: Path) -> None:
    async with DockerRegistry(tmp_path / "registry") as registry:
        await registry.push(REPOSITORY, "3.1", two_platforms("poison"))
        async with (
            Entrepot(settings(registry.url, {}), tmp_path / "entrepot") as entrepot,
            Containerd(tmp_path / "node") as node,
        ):
            node.hosts_toml("k8s.gcr.io", hosts_toml(entrepot.url, only=True))
            for _ in range(2):
                with pytest.raises(RuntimeError, match="502"):
                    await node.pull(IMAGE)
                await entrepot.restart()
            assert await node.images("k8s.io") == {}
