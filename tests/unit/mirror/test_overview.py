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
from entrepot.oci.reference import RepositoryName, Tag
from entrepot.store.record import ManifestRecord, TagRecord
from fakes.images import Image, blob, image
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


async def test_what_would_go_first_has_no_private_name_for_strangers(tmp_path: Path) -> None:
    """The same image is public by one name and private by another; a third one is private only."""
    async with mirroring(tmp_path, "http://127.0.0.1:9") as layer:
        await _kept(layer, image("both"), f"{REGISTRY}/hidden:1", "open.example/known:1")
        await _kept(layer, image("alone"), f"{REGISTRY}/alone:1")
        looking = overview(layer, frozenset({REGISTRY}))

        async def going(*, insider: bool) -> set[str]:
            whole = plain(await looking.whole(insider=insider))
            return {one["name"] for one in whole["next_to_go"]}

        assert await going(insider=False) == {"open.example/known:1"}
        both = f"open.example/known:1, {REGISTRY}/hidden:1"
        assert await going(insider=True) == {both, f"{REGISTRY}/alone:1"}


async def _kept(layer: Mirroring, one: Image, *names: str) -> None:
    """Have an image under these names, not used for long."""
    room = layer.fills.room
    await room.store.put(one.digest, one.manifest, public=True)
    size = len(one.manifest)
    for name in names:
        registry, _, rest = name.partition("/")
        repository, _, tag = rest.partition(":")
        at = (registry, RepositoryName(repository))
        record = ManifestRecord(one.digest, one.media_type, size, "m", *at, used_at=1.0)
        tagged = TagRecord(*at, Tag(tag), one.digest, one.media_type, size, 1.0, "m")
        await room.catalog.record(record, (), tagged)
