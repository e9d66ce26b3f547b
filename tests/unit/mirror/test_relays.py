from __future__ import annotations

from pathlib import Path

import pytest

from entrepot.errors import TransferBroken
from entrepot.mirror.places import Places
from entrepot.mirror.wanted import Wanted
from entrepot.mirror.window import Checkpoint
from entrepot.oci.digest import Digest
from fakes.images import blob
from fakes.registry import FakeRegistry, Fault
from mirroring import PAUSE, mirroring

DATA = blob(600_000, "relays")
DIGEST = Digest.of(DATA)


async def test_one_alone_ends_with_its_reader_and_all_end_when_the_server_does(
    tmp_path: Path,
) -> None:
    async with FakeRegistry() as mirror, mirroring(tmp_path, mirror.url) as layer:
        mirror.put_blob("pause", DATA)
        relays, places = layer.fills.relays, Places()
        wanted = Wanted(DIGEST, layer.registry, PAUSE.repository)
        place = places.enter(5000)
        relay = relays.alone(wanted, Checkpoint(5000, None), places, len(DATA))
        found = await relay.window.wait(place, 5000, whole=False)
        assert found is not None
        assert found[0].start == 5000
        assert mirror.requests[-1].headers["Range"].startswith("bytes=5000-")
        await layer.fills.aclose()
        with pytest.raises(TransferBroken, match="stopped"):
            await relay.window.wait(place, len(DATA), whole=True)
        with pytest.raises(TransferBroken, match="stopping"):
            relays.alone(wanted, Checkpoint(0, None), places, len(DATA))
        assert relays.budget.left == 128 << 20


@pytest.mark.rule("T-9", "U-13")
@pytest.mark.parametrize("at", [0, 1000])
async def test_who_lies_to_one_alone_is_set_aside_if_all_of_it_came_from_there(
    at: int, tmp_path: Path
) -> None:
    async with FakeRegistry() as mirror, mirroring(tmp_path, mirror.url) as layer:
        mirror.put_blob("pause", DATA)
        mirror.fault(Fault("flip", path="/blobs/", after_bytes=2000, times=None))
        relays, places = layer.fills.relays, Places()
        wanted = Wanted(DIGEST, layer.registry, PAUSE.repository)
        place, hasher = places.enter(at), DIGEST.hasher()
        hasher.update(DATA[:at])
        relay = relays.alone(wanted, Checkpoint(at, hasher), places, len(DATA))
        with pytest.raises(TransferBroken, match="were wrong"):
            await relay.window.wait(place, len(DATA), whole=True)
        told = layer.metrics.render().decode()
        assert ('entrepot_rejected_blobs_total{mirror="mirror0"' in told) is (at == 0)
