"""What is told at a glance; `web.status.test_pages` asks a whole server for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from entrepot.mirror.documents import Document
from entrepot.mirror.history import History
from entrepot.mirror.library import Library
from entrepot.mirror.names import NameTable
from entrepot.mirror.overview import Overview
from entrepot.mirror.wanted import Wanted
from entrepot.oci.digest import Digest
from fakes.images import blob
from fakes.registry import FakeRegistry, Fault
from mirroring import PAUSE, REGISTRY, Mirroring, mirroring
from unit.web.serving import until

DATA = blob(2_000_000, "overview")


def overview(layer: Mirroring, private: frozenset[str] = frozenset()) -> Overview:
    library = Library(NameTable({REGISTRY: []}), layer.fills.room, layer.upkeep)
    return Overview(
        library=library,
        fills=layer.fills,
        metrics=layer.metrics,
        history=History(layer.metrics.tally, layer.clock),
        registries=lambda: {REGISTRY: layer.registry},
        private=lambda: private,
        clock=layer.clock,
    )


def plain(document: Document) -> Any:
    """As whoever asks for JSON gets it."""
    return json.loads(json.dumps(document))


async def test_a_download_that_nobody_has_answered_yet(tmp_path: Path) -> None:
    async with FakeRegistry() as registry, mirroring(tmp_path, registry.url) as layer:
        registry.fault(Fault("silent", path="/blobs/", times=None))
        looking = overview(layer)
        _ = layer.fills.join(Wanted(Digest.of(DATA), layer.registry, PAUSE.repository))
        [told] = plain(looking.live())["fills"]
        assert (told["bytes"], told["size"], told["mirrors"]) == (0, None, [])
        assert told["seconds_left"] is None


async def test_a_private_registrys_download_has_no_name_for_strangers(tmp_path: Path) -> None:
    async with FakeRegistry() as registry, mirroring(tmp_path, registry.url) as layer:
        registry.put_blob("pause", DATA)
        registry.fault(Fault("stall", path="/blobs/", after_bytes=1_000_000))
        fill, _ = layer.fills.join(Wanted(Digest.of(DATA), layer.registry, PAUSE.repository))
        await fill.wait_opened()
        await registry.until_sent(1_000_000)
        looking = overview(layer, frozenset({REGISTRY}))
        [told] = plain(looking.live())["fills"]
        assert told["repository"] is None
        await until(lambda: plain(looking.live(insider=True))["fills"][0]["bytes"] == 1_000_000)
        [told] = plain(looking.live(insider=True))["fills"]
        assert told["repository"] == "pause"
        assert [(one["name"], one["bytes"]) for one in told["mirrors"]] == [("mirror0", 1_000_000)]


async def test_the_disk_is_told(tmp_path: Path) -> None:
    async with FakeRegistry() as registry, mirroring(tmp_path, registry.url) as layer:
        registry.put_blob("pause", DATA)
        fill, _ = layer.fills.join(Wanted(Digest.of(DATA), layer.registry, PAUSE.repository))
        await fill.wait_ended()
        whole = plain(await overview(layer).whole())
        assert whole["disk"]["blobs"] == 1
        assert whole["hour"] == whole["day"] == []
