"""A fresh containerd, set up by the one line of the README, pulls; and nothing of it is left."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest

from laboratory import IMAGE, Laboratory
from programs import require_program
from programs.containerd import Containerd
from programs.node import Node

pytestmark = pytest.mark.e2e


@asynccontextmanager
async def fresh(laboratory: Laboratory, node: Node) -> AsyncIterator[Containerd]:
    """A containerd that has never heard of a mirror, as Debian's package leaves it."""
    async with Containerd(
        laboratory.directory / "fresh",
        sandbox_image=IMAGE,
        environment=laboratory.environment,
        bare_config=node.root / "etc/containerd/config.toml",
    ) as containerd:
        yield containerd


async def line(laboratory: Laboratory, node: Node, page: str, *words: str) -> str:
    """`curl -fsSL URL | sh -s -- WORDS`, as in the README; what was said."""
    require_program("curl")
    url = f"{laboratory.url}/setup/{page}"
    pipe = 'curl -fsSL "$0" | sh -s -- "$@"'
    return await node.command("/bin/sh", "-c", pipe, url, *words)


async def pull(containerd: Containerd, laboratory: Laboratory) -> None:
    """Pull `IMAGE` through the CRI, as a kubelet does."""
    async with containerd.cri() as cri:
        await cri.pull_image(IMAGE)
        found = await cri.image_status(IMAGE)
    assert found is not None
    assert found.digests == (f"k8s.gcr.io/pause@{laboratory.digest}",)


@pytest.mark.parametrize("query", ["", "?default&strict", "?registry=k8s.gcr.io&strict"])
@pytest.mark.rule("C-4", "C-5", "C-7", "C-9")
async def test_set_up_by_one_line_pulled_and_undone(
    laboratory: Laboratory, tmp_path: Path, query: str
) -> None:
    node = Node(tmp_path / "node")
    async with fresh(laboratory, node) as containerd:
        before = node.tree()
        said = await line(laboratory, node, f"containerd.sh{query}")
        assert f"{laboratory.url} answers" in said
        assert "Now: systemctl restart containerd" in said
        await containerd.restart()
        await pull(containerd, laboratory)
        assert "Nothing to change" in await line(laboratory, node, f"containerd.sh{query}")
        # Not by the line again: on the day when this is wanted Entrepot may be gone.
        undo = node.root / "var/lib/entrepot-setup/containerd/undo.sh"
        assert f"sh /var/lib/entrepot-setup/containerd/{undo.name} --remove" in said
        await node.command("/bin/sh", undo, "--remove")
        assert node.tree() == before
        await containerd.restart()
        assert laboratory.outside.asked == []
        async with containerd.cri() as cri:
            with pytest.raises(grpc.aio.AioRpcError):
                await cri.pull_image("k8s.gcr.io/pause:3.2")
        assert laboratory.outside.asked, "it still asks the mirror"
    laboratory.outside.asked.clear()


@pytest.mark.rule("C-2")
async def test_an_old_table_of_mirrors_makes_room(laboratory: Laboratory, tmp_path: Path) -> None:
    """registry.mirrors beside config_path would keep the CRI from loading at all."""
    node = Node(tmp_path / "node")
    async with fresh(laboratory, node) as containerd:
        config = node.root / "etc/containerd/config.toml"
        table = 'plugins."io.containerd.grpc.v1.cri".registry.mirrors."docker.io"'
        config.write_text(f'{config.read_text()}\n[{table}]\n  endpoint = ["http://127.0.0.1:9"]\n')
        before = node.tree()
        assert "taken out" in await line(laboratory, node, "containerd.sh")
        await containerd.restart()
        await pull(containerd, laboratory)
        await line(laboratory, node, "containerd.sh", "--remove")
        assert node.tree() == before


@pytest.mark.rule("C-5", "C-7")
async def test_two_entrepots_the_first_of_them_dead(laboratory: Laboratory, tmp_path: Path) -> None:
    node = Node(tmp_path / "node")
    async with fresh(laboratory, node) as containerd:
        dead = laboratory.url.replace("http://127.0.0.1", "127.0.0.2")
        said = await line(laboratory, node, f"containerd.sh?mirror={dead}&strict")
        assert f"http://{dead}/v2/ does not answer" in said
        await containerd.restart()
        await pull(containerd, laboratory)


async def test_the_doctor_finds_nothing_on_a_healthy_node_and_an_image_in_the_wrong_place(
    laboratory: Laboratory, tmp_path: Path
) -> None:
    """The night that this project began with: an image lay in containerd's other namespace."""
    node = Node(tmp_path / "node")
    async with fresh(laboratory, node) as containerd:
        with pytest.raises(RuntimeError, match="!!  no-mirror"):
            await line(laboratory, node, "node-doctor.sh")
        await line(laboratory, node, "containerd.sh")
        await containerd.restart()
        said = await line(laboratory, node, "node-doctor.sh")
        assert "ok  containerd 1." in said
        assert f"ok  the mirror has {IMAGE} for linux/" in said
        certs_d = str(node.root / "etc/containerd/certs.d")
        hosts = ("--hosts-dir", certs_d)
        await containerd.ctr("--namespace", "default", "images", "pull", *hosts, IMAGE)
        with pytest.raises(RuntimeError, match="!!  wrong-namespace") as found:
            await line(laboratory, node, "node-doctor.sh")
        mend = f"ctr -n default images export - {IMAGE} | ctr -n k8s.io images import -"
        assert mend in str(found.value)
        with_address = mend.replace("ctr ", f"ctr --address {containerd.address} ")
        await node.command("/bin/sh", "-c", with_address)
        said = await line(laboratory, node, "node-doctor.sh")
        assert f"ok  the sandbox image {IMAGE} is here" in said
