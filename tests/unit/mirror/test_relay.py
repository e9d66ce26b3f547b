from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from entrepot.errors import AllFailed, StoreError, TransferBroken
from entrepot.mirror.budget import Budget
from entrepot.mirror.fetch import Fetch
from entrepot.mirror.places import Places
from entrepot.mirror.relay import Relay
from entrepot.mirror.wanted import Wanted
from entrepot.mirror.window import Checkpoint, Window
from entrepot.oci.digest import Digest
from fakes.images import blob
from fakes.registry import FakeRegistry, Fault
from mirroring import PAUSE, Mirroring, mirroring

MIB = 1 << 20
DATA = blob(3 * MIB, "relay")
DIGEST = Digest.of(DATA)


def relay_in(layer: Mirroring, budget: Budget, told: list[str]) -> Relay:
    relays = layer.fills.relays
    window = Window(DIGEST, Checkpoint(0, DIGEST.hasher()), Places(), relays.threads)
    fetch = Fetch(
        wanted=Wanted(DIGEST, layer.registry, PAUSE.repository),
        partial=window,
        rules=layer.fills.rules,
        set_aside=layer.fills.set_aside,
        metrics=layer.metrics,
        progressed=lambda: None,
        in_order=True,
    )
    return Relay(window, fetch, budget, MIB, 0.05, layer.metrics, lambda: told.append("wrong"))


@pytest.mark.parametrize("right", [True, False], ids=["right", "wrong"])
async def test_it_ends_when_the_last_reader_has_gone(right: bool, tmp_path: Path) -> None:
    async with FakeRegistry() as mirror, mirroring(tmp_path, mirror.url) as layer:
        mirror.put_blob("pause", DATA)
        if not right:
            mirror.fault(Fault("flip", path="/blobs/", after_bytes=9, times=None))
        told: list[str] = []
        relay = relay_in(layer, budget := Budget(MIB), told)
        place = relay.window.places.enter()
        running = asyncio.get_running_loop().create_task(relay.run())
        if right:
            found = await relay.window.wait(place, 0, whole=True)
            assert found is not None
            await asyncio.sleep(0.05)
            assert (running.done(), budget.left) == (False, 0)
            relay.window.places.leave(place)
        else:
            with pytest.raises(TransferBroken, match="were wrong"):
                await relay.window.wait(place, len(DATA), whole=True)
        assert await running is right
        assert (told, budget.left) == ([] if right else ["wrong"], MIB)
        assert relay.window.held_bytes == 0


async def test_what_goes_wrong_is_heard_by_readers(tmp_path: Path) -> None:
    async with FakeRegistry() as mirror, mirroring(tmp_path, mirror.url) as layer:
        mirror.fault(Fault("status", status=500, times=None))
        budget = Budget(MIB)
        relay = relay_in(layer, budget, [])
        place = relay.window.places.enter()
        with pytest.raises(AllFailed):
            await relay.run()
        with pytest.raises(TransferBroken, match="500"):
            await relay.window.wait(place, 0, whole=True)
        async with budget.share(MIB, 1.0):
            with pytest.raises(StoreError, match="in use"):
                await relay_in(layer, budget, []).run()


async def test_cancelled_anywhere_it_leaves_nothing(tmp_path: Path) -> None:
    async with FakeRegistry() as mirror, mirroring(tmp_path, mirror.url) as layer:
        mirror.put_blob("pause", DATA)
        for turns in range(0, 40, 2):
            relay = relay_in(layer, budget := Budget(MIB), [])
            _ = relay.window.places.enter()
            running = asyncio.get_running_loop().create_task(relay.run())
            for _ in range(turns):
                await asyncio.sleep(0.0005)
            running.cancel()
            await asyncio.wait([running])
            assert (budget.left, relay.window.held_bytes) == (MIB, 0)
