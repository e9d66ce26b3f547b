"""Large images while mirrors come and go: a real containerd, and what newer ones do on the wire."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from time import monotonic

import pytest

from fakes.images import blob, image, sha256
from fakes.outside import Outside
from fakes.registry import FakeRegistry
from laboratory import hosts_toml
from programs.containerd import Containerd
from programs.entrepot import Entrepot
from unit.web.serving import NS
from wire.client import client

pytestmark = pytest.mark.e2e

SEED = 20260801
MIB = 1 << 20
LAYERS = tuple(size * MIB for size in (64, 64, 56, 48, 32, 20, 12, 4))
BYTES_PER_S = 8 * MIB
MIRRORS = 3
FEWEST_CHANGES = 4
BLOB_BYTES = 60_000_000
CHUNK_BYTES = 4 * MIB
CHUNKS_AT_ONCE = 4


@asynccontextmanager
async def mirrors() -> AsyncIterator[Sequence[FakeRegistry]]:
    """Slow ones, each connection for itself."""
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(FakeRegistry(bytes_per_second=BYTES_PER_S))
            for _ in range(MIRRORS)
        ]


@asynccontextmanager
async def entrepot_over(path: Path, given: Sequence[FakeRegistry]) -> AsyncIterator[Entrepot]:
    urls = [{"url": mirror.url} for mirror in given]
    registry = {"aliases": ["k8s.gcr.io"], "mirrors": urls}
    settings = {"registries": {"registry.k8s.io": registry}}
    async with Entrepot(settings, path / "entrepot") as entrepot:
        yield entrepot


@asynccontextmanager
async def coming_and_going(given: Sequence[FakeRegistry]) -> AsyncIterator[list[str]]:
    """One or two of the mirrors are away at a time, never all; yields the record of it."""
    record: list[str] = []
    task = asyncio.get_running_loop().create_task(_come_and_go(given, record))
    try:
        yield record
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _come_and_go(given: Sequence[FakeRegistry], record: list[str]) -> None:
    chance = random.Random(SEED)
    while True:
        await asyncio.sleep(chance.uniform(0.1, 0.5))
        away = chance.sample(range(len(given)), chance.choice([1, 1, 2]))
        for number in away:
            await given[number].stop()
        record.append(f"without {sorted(away)}")
        await asyncio.sleep(chance.uniform(0.2, 0.8))
        for number in away:
            await given[number].start()


@pytest.mark.rule("T-2", "T-3", "T-4", "E-1", "X-4")
async def test_a_node_gets_a_large_image_while_mirrors_come_and_go(tmp_path: Path) -> None:
    """containerd itself checks every layer's digest before it has it."""
    large = image("churn", layers=LAYERS)
    async with (
        Outside() as outside,
        mirrors() as given,
        entrepot_over(tmp_path, given) as entrepot,
        Containerd(tmp_path / "node", environment=outside.environment) as node,
    ):
        given[0].put_image("large", "1", large)
        for mirror in given[1:]:
            mirror.content.repositories = given[0].content.repositories
        node.hosts_toml("k8s.gcr.io", hosts_toml(entrepot.url, only=True))
        hosts = ("--hosts-dir", str(node.certs_d))
        began = monotonic()
        async with coming_and_going(given) as record:
            await node.ctr("content", "fetch", *hosts, "k8s.gcr.io/large:1")
        took_s = monotonic() - began
        assert {str(sha256(data)) for data in large.blobs} <= await node.contents("default")
        assert outside.asked == []
        shares = [mirror.bytes_sent("/blobs/") for mirror in given]
    fetched = sum(shares) / sum(LAYERS)
    print(
        f"{sum(LAYERS) // MIB} MiB in {took_s:.1f} s, {len(record)} changes,"
        f" fetched {fetched:.3f} times, {[share // MIB for share in shares]} MiB each"
    )
    assert len(record) >= FEWEST_CHANGES
    assert min(shares) > 0


@pytest.mark.rule("T-5", "T-6", "C-10", "X-4", "X-8")
async def test_parallel_chunks_are_right_while_mirrors_come_and_go(tmp_path: Path) -> None:
    """containerd 2.1 and later: open ranges side by side, each connection dropped after its part.

    One answer that is not 206 would be spliced in as it is.
    """
    data = blob(BLOB_BYTES, "chunks")
    async with mirrors() as given, entrepot_over(tmp_path, given) as entrepot:
        for mirror in given:
            mirror.put_blob("pause", data)
        address = entrepot.url.removeprefix("http://")
        target = f"/v2/pause/blobs/{sha256(data)}{NS}"
        some = asyncio.Semaphore(CHUNKS_AT_ONCE)
        received = bytearray(BLOB_BYTES)

        async def chunk(start: int) -> None:
            async with some, client(address) as one:
                await one.send("GET", target, ("Range", f"bytes={start}-"))
                head = await one.hear_head()
                told = f"bytes {start}-{BLOB_BYTES - 1}/{BLOB_BYTES}"
                assert (head.status, head.header("Content-Range")) == (206, told)
                wanted = min(CHUNK_BYTES, BLOB_BYTES - start)
                part = await one.hear_bytes(wanted)
                assert len(part) == wanted, f"the chunk at {start} broke off"
                received[start : start + wanted] = part
                one.leave()

        async with coming_and_going(given) as record:
            await chunk(0)
            async with asyncio.TaskGroup() as group:
                for start in range(CHUNK_BYTES, BLOB_BYTES, CHUNK_BYTES):
                    group.create_task(chunk(start))
        assert received == data
        fetched = sum(mirror.bytes_sent("/blobs/") for mirror in given) / BLOB_BYTES
    print(f"{BLOB_BYTES} bytes in chunks, {len(record)} changes, fetched {fetched:.3f} times")
    assert record
