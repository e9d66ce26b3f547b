"""At most one fill per digest, and none left when the server stops."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from entrepot.errors import Offline, TransferBroken
from entrepot.mirror.wanted import Wanted
from entrepot.oci.digest import Digest
from fakes.images import blob
from fakes.registry import FakeRegistry, Fault
from mirroring import PAUSE, mirroring

DATA = blob(100_000, "fills")


async def test_joining_twice_is_one_fill_and_closing_stops_it(tmp_path: Path) -> None:
    async with FakeRegistry() as registry, mirroring(tmp_path, registry.url) as layer:
        registry.put_blob("pause", DATA)
        registry.fault(Fault("silent", path="/blobs/"))
        wanted = Wanted(Digest.of(DATA), layer.registry, PAUSE.repository)
        fill, started = layer.fills.join(wanted)
        again, started_again = layer.fills.join(wanted)
        assert (fill is again, started, started_again) == (True, True, False)
        assert layer.fills.get(wanted.digest) is fill
        await registry.until_asked("/blobs/")
        await layer.fills.aclose()
        assert len(layer.fills) == 0


async def test_what_clients_have_got_whole_is_put_in_place_before_the_end(tmp_path: Path) -> None:
    data, digest = blob(2_000_000, "whole"), Digest.of(blob(2_000_000, "whole"))
    async with FakeRegistry() as registry:
        registry.put_blob("pause", data)
        async with mirroring(tmp_path, registry.url) as layer:
            fill, _ = layer.fills.join(Wanted(digest, layer.registry, PAUSE.repository))
            assert await fill.wait_bytes(len(data) - 1, 0) == len(data)
        async with mirroring(tmp_path, registry.url) as layer:
            assert await layer.store.size(digest) == len(data)
            assert (await layer.catalog.totals()).bytes == len(data)


async def test_a_fill_of_what_is_there_already_asks_nobody(tmp_path: Path) -> None:
    async with FakeRegistry() as registry, mirroring(tmp_path, registry.url) as layer:
        await layer.store.put(Digest.of(DATA), DATA)
        fill, _ = layer.fills.join(Wanted(Digest.of(DATA), layer.registry, PAUSE.repository))
        await fill.wait_opened()
        assert fill.size == len(DATA)
        file = await fill.open_file()
        assert file is not None
        file.close()
        assert registry.requests == []


async def test_an_interrupted_fill_tells_why_and_the_next_goes_on_with_it(tmp_path: Path) -> None:
    data = blob(2_000_000, "interrupted")
    async with FakeRegistry() as registry, mirroring(tmp_path, registry.url) as layer:
        registry.put_blob("pause", data)
        registry.fault(Fault("stall", path="/blobs/", after_bytes=1_500_000))
        wanted = Wanted(Digest.of(data), layer.registry, PAUSE.repository)
        fill, _ = layer.fills.join(wanted)
        await fill.wait_opened()
        waiting = asyncio.get_running_loop().create_task(fill.wait_bytes(1_900_000, 0))
        await registry.until_sent(1_500_000, "/blobs/")
        await layer.fills.interrupt(Offline("gone offline"))
        with pytest.raises(TransferBroken, match="gone offline"):
            await waiting
        assert len(layer.fills) == 0
        again, started = layer.fills.join(wanted)
        assert started
        await layer.fills.settled()
        assert (again.size, again.failed) == (len(data), False)


async def test_how_fills_end_is_counted(tmp_path: Path) -> None:
    async with FakeRegistry() as registry, mirroring(tmp_path, registry.url) as layer:
        registry.put_blob("pause", DATA)
        missing = Digest.of(b"nowhere")
        for digest in (Digest.of(DATA), missing):
            fill, _ = layer.fills.join(Wanted(digest, layer.registry, PAUSE.repository))
            assert list(layer.fills) == [fill]
            await layer.fills.settled()
        assert list(layer.fills) == []
        text = layer.metrics.render().decode()
        for outcome in ("whole", "failed"):
            labels = f'{{outcome="{outcome}",registry="registry.example"}}'
            assert f"entrepot_fills_ended_total{labels} 1.0" in text
        assert "entrepot_fill_readers 0.0" in text
