"""The settings for clients that are not installed here: what those make of them is answered."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from entrepot.setup.version import Version
from fakes.images import image, index
from fakes.registry import FakeRegistry
from programs.node import Node
from programs.ports import Port
from unit.web.serving import K8S, registry_settings, serving
from wire import nodeclient
from wire.nodeclient import Asked, pull

IMAGE = index([image("setup", platform=one) for one in ("linux/amd64", "linux/arm64")])
CONTAINERD = ("1.2.14", "1.3.10", "1.4.13", "1.5.18", "1.6.16", "1.6.20", "1.7.34")
CONTAINERD_2 = ("2.0.7", "2.1.9", "2.2.1", "2.3.4", "2.4.0")


class Lab:
    """A server whose scripts are run on a node, with a port of its own for each registry."""

    def __init__(self, node: Node, address: str) -> None:
        self.node = node
        self.address = address

    async def run(self, client: str, version: str, query: str = "") -> None:
        """The README's line, on a node where the client has this version."""
        url = f"http://{self.address}/setup/{client}.sh?{query}"
        line = 'curl -fsSL "$0" | sh -s -- --version "$1"'
        await self.node.command("/bin/sh", "-c", line, url, version)

    async def pulls(self, asked: list[Asked]) -> None:
        """Each mirror of the list has it."""
        assert asked
        for one in asked:
            assert await pull([one], "3.1") == str(IMAGE.digest)


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    with Port() as main, Port() as k8s, Port() as hub:
        listen = [
            str(main),
            {"address": str(k8s), "registry": "k8s.gcr.io"},
            {"address": str(hub), "registry": "docker.io"},
        ]
        async with FakeRegistry() as mirror:
            mirror.put_image("pause", "3.1", IMAGE)
            mirror.put_image("library/pause", "3.1", IMAGE)
            registries = {
                K8S: registry_settings(mirror, aliases=("k8s.gcr.io",)),
                "docker.io": registry_settings(mirror),
            }
            async with serving(tmp_path, mirror, listen=listen, registries=registries) as served:
                yield Lab(Node(tmp_path / "node"), served.address)


@pytest.mark.parametrize("query", ["", "default&strict"])
@pytest.mark.parametrize("version", [*CONTAINERD, *CONTAINERD_2])
@pytest.mark.rule("C-1", "C-2", "C-3", "C-4", "C-5", "C-6", "S-1", "S-5")
async def test_containerd(lab: Lab, version: str, query: str) -> None:
    await lab.run("containerd", version, query)
    number = Version.parse(version)
    for registry, repository in (
        ("k8s.gcr.io", "pause"),
        ("registry.k8s.io", "pause"),
        ("docker.io", "library/pause"),
    ):
        await lab.pulls(nodeclient.containerd(lab.node, number, registry, repository))


@pytest.mark.parametrize("name", ["k3s", "rke2"])
@pytest.mark.parametrize("version", ["1.17.2", "1.22.3", "1.31.4"])
@pytest.mark.rule("K-1", "K-2")
async def test_k3s_and_rke2(lab: Lab, name: str, version: str) -> None:
    await lab.run(name, version, "default&strict")
    await lab.pulls(nodeclient.rancher(lab.node, name, "k8s.gcr.io", "pause"))


@pytest.mark.parametrize("own_store", [True, False], ids=["classic", "containerd"])
@pytest.mark.parametrize("version", ["20.10.24", "24.0.7", "25.0.0", "27.5.1", "28.5.1", "29.1.0"])
@pytest.mark.rule("D-1", "D-2", "D-6", "S-5")
async def test_dockerd(lab: Lab, version: str, own_store: bool) -> None:
    await lab.run("docker", version)
    number = Version.parse(version)
    found = nodeclient.dockerd(lab.node, number, "library/pause", own_store=own_store)
    await lab.pulls(found)
    if number >= Version(29) and not own_store:
        certs_d = lab.node.root / "etc/docker/certs.d"
        await lab.pulls(nodeclient.hosts_toml(certs_d, "k8s.gcr.io", "pause"))


@pytest.mark.rule("D-6")
async def test_dockerd_where_docker_hub_has_no_port_of_its_own(tmp_path: Path) -> None:
    """From 25 on the registry is in the mirror's path, wherever a version puts that."""
    node = Node(tmp_path / "node")
    async with FakeRegistry() as mirror:
        mirror.put_image("library/pause", "3.1", IMAGE)
        registries = {"docker.io": registry_settings(mirror)}
        async with serving(tmp_path, mirror, registries=registries) as served:
            lab = Lab(node, served.address)
            for version in ("25.0.0", "28.5.1"):
                await lab.run("docker", version)
                for own_store in (True, False):
                    await lab.pulls(
                        nodeclient.dockerd(
                            node, Version.parse(version), "library/pause", own_store=own_store
                        )
                    )


@pytest.mark.rule("B-1")
async def test_buildkit(lab: Lab) -> None:
    await lab.run("buildkit", "0.12.5")
    await lab.pulls(nodeclient.buildkit(lab.node, "k8s.gcr.io", "pause"))


@pytest.mark.parametrize(
    ("client", "version", "certs_d"),
    [
        ("microk8s", "1.31.0", "var/snap/microk8s/current/args/certs.d"),
        ("k0s", "1.31.0", "etc/k0s/certs.d"),
        ("nerdctl", "1.7.0", "etc/containerd/certs.d"),
    ],
)
@pytest.mark.rule("C-4", "C-10")
async def test_those_with_a_directory_of_their_own(
    lab: Lab, client: str, version: str, certs_d: str
) -> None:
    await lab.run(client, version)
    await lab.pulls(nodeclient.hosts_toml(lab.node.root / certs_d, "k8s.gcr.io", "pause"))


async def test_the_command_writes_the_same(lab: Lab) -> None:
    """`entrepot setup --write` needs no server's script, only its address."""
    await lab.run("containerd", "1.7.34", "registry=docker.io")
    served = lab.node.tree()
    await lab.run("containerd", "1.7.34", "registry=docker.io")
    words = ("setup", "containerd", lab.address, "--registry", "docker.io", "--version", "1.7.34")
    said = await lab.node.command(sys.executable, "-m", "entrepot", *words, "--write")
    assert "Nothing to change" in said
    assert lab.node.tree() == served
