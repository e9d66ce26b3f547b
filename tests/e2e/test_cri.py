"""Kubelet's way: the CRI pulls k8s.gcr.io/pause:3.1 through Entrepot, and a pod stands on it."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from laboratory import IMAGE, Laboratory, hosts_toml
from programs.containerd import Containerd
from programs.cri import Cri

pytestmark = pytest.mark.e2e


def legacy(laboratory: Laboratory, ending: str) -> Mapping[str, tuple[str]]:
    """The deprecated table, with what may stand after the port."""
    return {"k8s.gcr.io": (f"{laboratory.url}{ending}",)}


async def pull(cri: Cri, laboratory: Laboratory) -> None:
    """Pull `IMAGE` and check that it is the right one, of the right platform."""
    (native,) = (one for one in laboratory.index.images if one.platform == "linux/amd64")
    config = await cri.pull_image(IMAGE)
    assert config in native.manifest.decode()
    found = await cri.image_status(IMAGE)
    assert found is not None
    assert found.digests == (f"k8s.gcr.io/pause@{laboratory.digest}",)


@pytest.mark.parametrize("ending", ["/", ""], ids=["trailing-slash", "no-slash"])
@pytest.mark.rule("S-1", "C-2", "C-3")
async def test_pull_through_the_legacy_mirror_table(bad_day: Laboratory, ending: str) -> None:
    """With a slash at the end the requests have no /v2 at all; offline it is the same (S6)."""
    for name in ("first", "second"):
        async with bad_day.node(name, legacy(bad_day, ending)) as node, node.cri() as cri:
            await pull(cri, bad_day)
        if name == "first":
            await bad_day.stop_mirrors()
            await bad_day.entrepot.restart()


@pytest.mark.rule("S-1", "S-4")
async def test_pull_through_a_legacy_mirror_with_a_path(laboratory: Laboratory) -> None:
    endpoints = legacy(laboratory, "/v2/k8s.gcr.io")
    async with laboratory.node(legacy_mirrors=endpoints) as node, node.cri() as cri:
        await pull(cri, laboratory)


@pytest.mark.rule("C-2")
async def test_pull_through_the_legacy_mirror_of_everything(laboratory: Laboratory) -> None:
    endpoints = {"*": (laboratory.url,)}
    async with laboratory.node(legacy_mirrors=endpoints) as node, node.cri() as cri:
        await pull(cri, laboratory)


@pytest.mark.rule("C-4")
async def test_pull_through_config_path(laboratory: Laboratory) -> None:
    async with laboratory.node() as node, node.cri() as cri:
        node.hosts_toml("k8s.gcr.io", hosts_toml(laboratory.url))
        await pull(cri, laboratory)


async def _stands(node: Containerd, laboratory: Laboratory) -> None:
    """The node is empty: starting the pod is what pulls its sandbox image."""
    async with node.cri() as cri:
        assert await cri.list_images() == ()
        sandbox = await cri.run_pod_sandbox("coredns")
        status = await cri.pod_sandbox_status(sandbox)
        assert status.id == sandbox
        assert status.created_at > 0
        assert status.ready
        (image,) = await cri.list_images()
        assert image.digests == (f"k8s.gcr.io/pause@{laboratory.digest}",)
        await cri.stop_pod_sandbox(sandbox)
        assert not (await cri.pod_sandbox_status(sandbox)).ready
        await cri.remove_pod_sandbox(sandbox)
        assert await cri.list_pod_sandboxes() == ()


async def test_pod_on_an_empty_node_becomes_ready(laboratory: Laboratory) -> None:
    async with laboratory.node() as node:
        node.hosts_toml("k8s.gcr.io", hosts_toml(laboratory.url))
        await _stands(node, laboratory)


async def test_pod_becomes_ready_through_the_legacy_table_on_a_bad_day(
    bad_day: Laboratory,
) -> None:
    async with bad_day.node(legacy_mirrors=legacy(bad_day, "/")) as node:
        await _stands(node, bad_day)
