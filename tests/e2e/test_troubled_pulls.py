"""A node gets the right image while mirrors lie and break off, and over the death of Entrepot."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from fakes.images import Index, blob, image, index, sha256
from fakes.outside import Outside
from fakes.registry import FakeRegistry, Fault, FaultKind
from laboratory import IMAGE, hosts_toml
from programs.containerd import Containerd
from programs.entrepot import Entrepot

pytestmark = pytest.mark.e2e

NOISE_BYTES = 4 << 20  # does not compress, so the layer is a little larger
CUT_BYTES = 1 << 20


def noisy(noise_bytes: int) -> Index:
    """One platform, one layer of a little over that size, which unpacks."""
    return index([image("noisy", rootfs={"noise": (0o644, blob(noise_bytes, "noisy"))})])


@pytest.fixture(scope="module")
def heavy() -> Index:
    """The usual size of a layer here."""
    return noisy(NOISE_BYTES)


def layer_of(one_layer: Index) -> bytes:
    (layer,) = one_layer.images[0].layers
    return layer


@asynccontextmanager
async def entrepot_over(directory: Path, *mirrors: FakeRegistry) -> AsyncIterator[Entrepot]:
    """k8s.gcr.io by way of these mirrors, in this order."""
    urls = [{"url": mirror.url} for mirror in mirrors]
    registry = {"aliases": ["k8s.gcr.io"], "mirrors": urls}
    settings = {"registries": {"registry.k8s.io": registry}}
    async with Entrepot(settings, directory / "entrepot") as entrepot:
        yield entrepot


def node_of(directory: Path, outside: Outside, name: str = "node") -> Containerd:
    return Containerd(directory / name, environment=outside.environment)


@pytest.mark.parametrize("kind", ["reset", "truncate", "html", "wrong_length"])
@pytest.mark.rule("T-2", "T-3", "E-1")
async def test_a_mirror_that_breaks_off_is_not_noticed(
    tmp_path: Path, heavy: Index, kind: FaultKind
) -> None:
    """The first mirror's layer is broken every time; containerd itself checks the digest."""
    await _pull_past_a_bad_mirror(tmp_path, heavy, Fault(kind, times=None, after_bytes=CUT_BYTES))


@pytest.mark.rule("T-9")
async def test_a_wrong_byte_in_a_small_layer_is_not_noticed(tmp_path: Path) -> None:
    """Nothing of it is passed on before all of it has been checked."""
    light = noisy(100_000)
    await _pull_past_a_bad_mirror(tmp_path, light, Fault("flip", times=None, after_bytes=500))


async def _pull_past_a_bad_mirror(directory: Path, pulled: Index, fault: Fault) -> None:
    layer = str(sha256(layer_of(pulled)))
    async with (
        Outside() as outside,
        FakeRegistry() as bad,
        FakeRegistry() as good,
        entrepot_over(directory, bad, good) as entrepot,
        node_of(directory, outside) as node,
    ):
        for mirror in (bad, good):
            mirror.put_image("pause", "3.1", pulled)
        bad.fault(replace(fault, path=layer))
        node.hosts_toml("k8s.gcr.io", hosts_toml(entrepot.url))
        assert await node.pull(IMAGE) == str(pulled.digest)
        assert bad.asked(layer, "GET"), "the bad mirror was never asked: nothing was shown"
        assert outside.asked == []


@pytest.mark.rule("T-9", "U-13")
async def test_a_wrong_byte_passed_on_is_refused_by_the_node_and_nobody_gets_it_again(
    tmp_path: Path, heavy: Index
) -> None:
    """The first megabytes of a large layer are passed on as they come, wrong byte and all.

    When the digest does not fit Entrepot cuts the connection; containerd comes back for the rest,
    gets it from the good mirror, and refuses the whole. It keeps what it refused until it next
    collects garbage, and until then refuses it again (T-9: sticky).
    """
    layer = str(sha256(layer_of(heavy)))
    async with (
        Outside() as outside,
        FakeRegistry(bytes_per_second=8 << 20) as bad,
        FakeRegistry() as good,
        entrepot_over(tmp_path, bad, good) as entrepot,
        node_of(tmp_path, outside, "first") as first,
        node_of(tmp_path, outside, "second") as second,
    ):
        for mirror in (bad, good):
            mirror.put_image("pause", "3.1", heavy)
        bad.fault(Fault("flip", path=layer, times=None, after_bytes=1000))
        for node in (first, second):
            node.hosts_toml("k8s.gcr.io", hosts_toml(entrepot.url))
        with pytest.raises(RuntimeError, match="unexpected commit digest"):
            await first.pull(IMAGE)
        assert await second.pull(IMAGE) == str(heavy.digest)
        await first.collect_garbage()
        assert await first.pull(IMAGE) == str(heavy.digest)
        assert len(bad.asked(layer)) == 1
        assert good.bytes_sent(layer) == len(layer_of(heavy))
        assert outside.asked == []


@pytest.mark.rule("T-6", "X-8")
async def test_three_nodes_at_once_cost_the_mirror_one_download(
    tmp_path: Path, heavy: Index
) -> None:
    """The mirror is slow enough for all three to be there before it is through."""
    async with AsyncExitStack() as stack:
        outside = await stack.enter_async_context(Outside())
        mirror = await stack.enter_async_context(FakeRegistry(bytes_per_second=4 << 20))
        mirror.put_image("pause", "3.1", heavy)
        entrepot = await stack.enter_async_context(entrepot_over(tmp_path, mirror))
        nodes = [
            await stack.enter_async_context(node_of(tmp_path, outside, name))
            for name in ("one", "two", "three")
        ]
        for node in nodes:
            node.hosts_toml("k8s.gcr.io", hosts_toml(entrepot.url))
        digests = await asyncio.gather(*(node.pull(IMAGE) for node in nodes))
        assert digests == [str(heavy.digest)] * 3
        assert mirror.bytes_sent(str(sha256(layer_of(heavy)))) == len(layer_of(heavy))
        assert outside.asked == []


@pytest.mark.rule("T-4", "T-5")
async def test_entrepot_killed_in_the_middle_goes_on_where_it_was(
    tmp_path: Path, heavy: Index
) -> None:
    """The pull may fail; the next one is right, and fetches only the rest from the mirror."""
    layer = layer_of(heavy)
    path = str(sha256(layer))
    async with (
        Outside() as outside,
        FakeRegistry(bytes_per_second=2 << 20) as mirror,
        entrepot_over(tmp_path, mirror) as entrepot,
        node_of(tmp_path, outside) as node,
    ):
        mirror.put_image("pause", "3.1", heavy)
        node.hosts_toml("k8s.gcr.io", hosts_toml(entrepot.url, only=True))
        async with asyncio.TaskGroup() as group:
            group.create_task(_pull_or_not(node))
            await mirror.until_sent(3 * CUT_BYTES, path)
            await entrepot.kill()
        mirror.clear()
        mirror.bytes_per_second = None
        await entrepot.start()
        assert await node.pull(IMAGE) == str(heavy.digest)
        (resumed,) = mirror.asked(path, "GET")
        assert resumed.headers["Range"].startswith("bytes=")
        assert 0 < resumed.bytes_sent < len(layer)
        assert outside.asked == []


async def _pull_or_not(node: Containerd) -> None:
    with suppress(RuntimeError):
        await node.pull(IMAGE)
