"""A real containerd pulls k8s.gcr.io/pause:3.1 through Entrepot, on a bad day, by hosts.toml."""

from __future__ import annotations

import asyncio
from pathlib import Path
from time import monotonic

import pytest

from fakes.images import Index
from fakes.outside import Outside
from laboratory import IMAGE, Laboratory, hosts_toml
from programs.containerd import Containerd

pytestmark = pytest.mark.e2e

PULL_S = 20.0  # far more than the five seconds this is to take; the time itself is printed


@pytest.mark.rule("T-1", "E-1", "C-11", "C-13", "C-14", "U-11")
async def test_pull_past_a_mirror_that_refuses_and_one_that_is_silent(
    bad_day: Laboratory,
) -> None:
    async with bad_day.node() as node:
        node.hosts_toml("k8s.gcr.io", hosts_toml(bad_day.url))
        began = monotonic()
        async with asyncio.timeout(PULL_S):
            digest = await node.pull(IMAGE)
        print(f"pulled past two dead mirrors in {monotonic() - began:.2f} s")
        assert digest == bad_day.digest
    assert bad_day.silent.requests, "the silent mirror was never asked: nothing was shown"


@pytest.mark.parametrize(
    ("by_digest", "platform"),
    [(False, "linux/amd64"), (True, "linux/amd64"), (False, "linux/arm64")],
    ids=["tag", "digest", "arm64"],
)
@pytest.mark.rule("U-12", "C-16", "F-4")
async def test_pull_again_when_every_mirror_is_gone_and_entrepot_was_restarted(
    bad_day: Laboratory, *, by_digest: bool, platform: str
) -> None:
    """For a second, empty node, in both namespaces people use."""
    image = f"k8s.gcr.io/pause@{bad_day.digest}" if by_digest else IMAGE
    (wanted,) = (one for one in bad_day.index.images if one.platform == platform)
    for name in ("first", "second"):
        async with bad_day.node(name) as node:
            node.hosts_toml("k8s.gcr.io", hosts_toml(bad_day.url))
            for namespace in ("k8s.io", "default"):
                digest = await node.pull(image, "--platform", platform, namespace=namespace)
                assert digest == bad_day.digest
                assert str(wanted.digest) in await node.contents(namespace)
        if name == "first":
            await bad_day.stop_mirrors()
            await bad_day.entrepot.restart()


async def test_without_entrepot_a_node_would_have_to_go_outside(tmp_path: Path) -> None:
    """The proof that the other tests would notice: this node asks for k8s.gcr.io itself."""
    async with Outside() as outside, Containerd(tmp_path, environment=outside.environment) as node:
        with pytest.raises(RuntimeError, match=r"k8s\.gcr\.io"):
            await node.pull(IMAGE)
        assert "CONNECT k8s.gcr.io:443 HTTP/1.1" in outside.asked


@pytest.mark.rule("E-2", "E-4", "S-6")
async def test_a_tag_nobody_has_is_not_found(laboratory: Laboratory) -> None:
    async with laboratory.node() as node:
        node.hosts_toml("k8s.gcr.io", hosts_toml(laboratory.url, only=True))
        with pytest.raises(RuntimeError, match="not found"):
            await node.pull("k8s.gcr.io/pause:9.9")


@pytest.mark.rule("S-1", "S-2", "S-3")
async def test_both_names_of_the_registry_are_one(
    laboratory: Laboratory, pause_index: Index
) -> None:
    """What was fetched as k8s.gcr.io is there as registry.k8s.io when no mirror is."""
    async with laboratory.node() as node:
        for registry in ("k8s.gcr.io", "registry.k8s.io"):
            node.hosts_toml(registry, hosts_toml(laboratory.url))
            assert await node.pull(f"{registry}/pause:3.1") == str(pause_index.digest)
            await laboratory.stop_mirrors()
