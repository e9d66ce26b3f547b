"""One of several mirrors sent wrong bytes: it is found, the others' bytes are kept."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from entrepot.errors import TransferBroken
from entrepot.oci.digest import Digest
from fakes.images import blob
from fakes.registry import FakeRegistry
from mirroring import PAUSE, mirroring, read_all

MIB = 1 << 20
LARGE = blob(24 * MIB, "liar")
DIGEST = Digest.of(LARGE)


@pytest.mark.rule("T-9", "P8")
@pytest.mark.parametrize("liar", [0, 1, 2])
async def test_the_liar_is_set_aside_and_the_next_pull_is_served_without_starting_again(
    tmp_path: Path, liar: int
) -> None:
    async with AsyncExitStack() as stack:
        mirrors = [
            await stack.enter_async_context(FakeRegistry(bytes_per_second=48 * MIB))
            for _ in range(3)
        ]
        for mirror in mirrors:
            mirror.put_blob("pause", LARGE)
        wrong = bytearray(LARGE)
        wrong[MIB // 2 :: MIB] = bytes(b ^ 1 for b in wrong[MIB // 2 :: MIB])
        mirrors[liar].content.repository("pause").blobs[str(DIGEST)] = bytes(wrong)
        layer = await stack.enter_async_context(mirroring(tmp_path, *(m.url for m in mirrors)))
        reader = await layer.blobs.open(PAUSE, DIGEST, layer.deadline())
        with pytest.raises(TransferBroken):
            await read_all(reader)
        await layer.fills.settled()
        again = await layer.blobs.open(PAUSE, DIGEST, layer.deadline())
        assert again.source == "hit"
        assert await read_all(again) == LARGE
        now = asyncio.get_running_loop().time()
        names = tuple(mirror.name for mirror in layer.registry.mirrors)
        assert layer.fills.set_aside.mirrors(DIGEST, names, now) == {f"mirror{liar}"}
        sent = sum(mirror.bytes_sent("/blobs/") for mirror in mirrors)
        assert sent < 2.6 * len(LARGE)


@pytest.mark.rule("T-9", "P8", "P29")
@pytest.mark.parametrize("size", [16 * MIB, 40 * MIB], ids=["too short", "too long"])
async def test_who_contradicts_a_liar_about_the_length_is_not_taken_for_one(
    tmp_path: Path, size: int
) -> None:
    """No manifest has said how long it is, and the liar speaks first."""
    async with AsyncExitStack() as stack:
        mirrors = [
            await stack.enter_async_context(FakeRegistry(bytes_per_second=20 * MIB)),
            await stack.enter_async_context(FakeRegistry()),
            await stack.enter_async_context(FakeRegistry()),
        ]
        for mirror in mirrors:
            mirror.put_blob("pause", LARGE)
        mirrors[0].content.repository("pause").blobs[str(DIGEST)] = (LARGE + LARGE)[:size]
        layer = await stack.enter_async_context(mirroring(tmp_path, *(m.url for m in mirrors)))
        reader = await layer.blobs.open(PAUSE, DIGEST, layer.deadline())
        with pytest.raises(TransferBroken):
            await read_all(reader)
        again = await layer.blobs.open(PAUSE, DIGEST, layer.deadline())
        assert await read_all(again) == LARGE
        names, now = tuple(m.name for m in layer.registry.mirrors), layer.deadline(0)
        assert layer.fills.set_aside.mirrors(DIGEST, names, now) == {"mirror0"}
