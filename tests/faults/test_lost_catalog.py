"""The catalog is deleted or overwritten, while Entrepot stands still and while it runs."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from fakes.images import Image, Index, blob, image, index
from fakes.registry import FakeRegistry, Fault
from faults.ledger import audited
from faults.pulling import Puller
from programs.entrepot import Entrepot
from unit.web.serving import NS
from wire.client import ask

pytestmark = [pytest.mark.faults, pytest.mark.timeout(120)]

BASE = {"base": (0o644, blob(300_000, "shared"))}
IMAGES = [
    image(f"lost {n}", rootfs=BASE, layers=(20_000 + n,), platform=platform)
    for n, platform in enumerate(("linux/amd64", "linux/arm64"))
]
INDEX = index(IMAGES)
GARBAGE = b"this was a catalog once. " * 4000


def config(mirror: FakeRegistry) -> dict[str, object]:
    registry = {"aliases": ["k8s.gcr.io"], "mirrors": [mirror.url]}
    return {"registries": {"registry.k8s.io": registry}}


async def fill(entrepot: Entrepot, mirror: FakeRegistry) -> None:
    for number, one in enumerate(IMAGES):
        mirror.put_image("pause", str(number), one)
    mirror.put_image("pause", "3.1", INDEX)
    address = entrepot.url.removeprefix("http://")
    for number, one in enumerate(IMAGES):
        await Puller(address).pull("pause", str(number), one)
    answer = await ask(address, "GET", f"/v2/pause/manifests/3.1{NS}")
    assert answer.body == INDEX.manifest


async def pull_offline(entrepot: Entrepot) -> None:
    """Everything by digest, the way a client would that knows the index's digest."""
    address = entrepot.url.removeprefix("http://")
    every: tuple[Image | Index, ...] = (INDEX, *IMAGES)
    for one in every:
        answer = await ask(address, "GET", f"/v2/pause/manifests/{one.digest}{NS}")
        assert (answer.status, answer.body) == (200, one.manifest)
        assert answer.header("Content-Type") == one.media_type
        # C-16: a manifest is no blob, also while nobody has told the catalog so
        answer = await ask(address, "GET", f"/v2/pause/blobs/{one.digest}{NS}")
        assert answer.status == 404
    for one in IMAGES:
        for data, descriptor in zip(one.blobs, descriptors(one), strict=True):
            answer = await ask(address, "GET", f"/v2/pause/blobs/{descriptor}{NS}")
            assert (answer.status, answer.body) == (200, data)


def descriptors(one: Image) -> list[str]:
    named = json.loads(one.manifest)
    return [each["digest"] for each in (named["config"], *named["layers"])]


def spoil(cache: Path, how: str) -> None:
    for suffix in ("-wal", "-shm") if how == "deleted" else ("-wal",):
        path = cache / f"catalog.db{suffix}"
        if path.exists():
            path.unlink() if how == "deleted" else path.write_bytes(GARBAGE)
    path = cache / "catalog.db"
    path.unlink() if how == "deleted" else path.write_bytes(GARBAGE)


async def until_logged(entrepot: Entrepot, event: str) -> None:
    async with asyncio.timeout(30):
        while event not in entrepot.log():
            await asyncio.sleep(0.05)


@pytest.mark.rule("P28", "C-16")
@pytest.mark.parametrize("how", ["deleted", "garbage"])
@pytest.mark.parametrize("running", [False, True], ids=["stopped", "running"])
async def test_a_lost_catalog_is_rebuilt_and_pulls_go_on(
    tmp_path: Path, how: str, running: bool
) -> None:
    async with AsyncExitStack() as stack:
        mirror = await stack.enter_async_context(FakeRegistry())
        entrepot = await stack.enter_async_context(Entrepot(config(mirror), tmp_path / "entrepot"))
        await fill(entrepot, mirror)
        await entrepot.stop()
        before = await asyncio.to_thread(audited, entrepot.cache)
        await entrepot.start()
        if running:
            await asyncio.to_thread(spoil, entrepot.cache, how)
            mirror.fault(Fault("refuse", times=None))
            await pull_offline(entrepot)
            await entrepot.kill()
        else:
            await entrepot.stop()
            await asyncio.to_thread(spoil, entrepot.cache, how)
        mirror.fault(Fault("refuse", times=None))
        await entrepot.start()
        await pull_offline(entrepot)
        await until_logged(entrepot, "catalog.rebuilt")
        await pull_offline(entrepot)
        assert "catalog.rebuilding" in entrepot.log()
        await entrepot.stop()
        after = await asyncio.to_thread(audited, entrepot.cache)
    assert (after.blobs, after.manifests, after.links) == (
        before.blobs,
        before.manifests,
        before.links,
    )
