"""The switch for looking ahead, as clients and other commands meet it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fakes.images import image, sha256
from fakes.registry import FakeRegistry
from unit.web.serving import NS, Serving, serving

IMAGE = image("ahead", layers=(500_000, 3000))
BY_TAG = f"/v2/pause/manifests/1{NS}"
BY_DIGEST = f"/v2/pause/manifests/{IMAGE.digest}{NS}"


@pytest.fixture
async def mirror() -> AsyncIterator[FakeRegistry]:
    async with FakeRegistry() as mirror:
        mirror.put_image("pause", "1", IMAGE)
        yield mirror


async def idle(its: Serving) -> None:
    """Wait for what was begun behind the answers."""
    if (ahead := its.server.services.look_ahead) is not None:
        await ahead.settled()
    await its.until_filled()


async def test_a_get_starts_the_layers(tmp_path: Path, mirror: FakeRegistry) -> None:
    async with serving(tmp_path, mirror, look_ahead=True) as its:
        assert (await its.get(BY_TAG)).status == 200
        await idle(its)
        assert len(mirror.asked("/blobs/")) == len(IMAGE.blobs)
        mirror.clear()
        for data in IMAGE.blobs:
            answer = await its.get(f"/v2/pause/blobs/{sha256(data)}{NS}")
            assert answer.body == data
        assert mirror.requests == []
        assert (await its.metrics())['entrepot_look_ahead_blobs_total{outcome="fetched"}'] == 3


@pytest.mark.parametrize("target", [BY_TAG, BY_DIGEST], ids=["tag", "digest"])
async def test_a_head_starts_nothing(tmp_path: Path, mirror: FakeRegistry, target: str) -> None:
    async with serving(tmp_path, mirror, look_ahead=True) as its:
        assert (await its.ask("HEAD", target)).status == 200
        await idle(its)
        assert not mirror.asked("/blobs/")


async def test_unless_it_is_turned_on_nothing_is_fetched_that_nobody_asks_for(
    tmp_path: Path, mirror: FakeRegistry
) -> None:
    async with serving(tmp_path, mirror) as its:
        assert (await its.get(BY_TAG)).status == 200
        await idle(its)
        assert its.server.services.look_ahead is None
        assert not mirror.asked("/blobs/")


async def test_offline_nothing_begins(tmp_path: Path, mirror: FakeRegistry) -> None:
    async with serving(tmp_path, mirror, look_ahead=True, offline_serves_incomplete=True) as its:
        assert (await its.ask("HEAD", BY_TAG)).status == 200
        await its.server.services.offline.outbound.set_offline(offline=True)
        mirror.clear()
        assert (await its.get(BY_DIGEST)).status == 200
        await idle(its)
        assert mirror.requests == []


async def test_prefetch_does_not_take_it_for_a_client(tmp_path: Path, mirror: FakeRegistry) -> None:
    """Each would stand back for the other, and neither ever get on."""
    async with serving(tmp_path, mirror, look_ahead=True) as its:
        ahead = its.server.services.look_ahead
        assert ahead is not None
        assert its.server.prefetch.courtesy is ahead.courtesy


async def test_it_is_turned_on_and_off_by_a_reload(tmp_path: Path, mirror: FakeRegistry) -> None:
    async with serving(tmp_path, mirror) as its:
        await its.server.reload(lambda: its.settings.model_copy(update={"look_ahead": True}))
        assert (await its.get(BY_TAG)).status == 200
        await idle(its)
        assert len(mirror.asked("/blobs/")) == len(IMAGE.blobs)
        await its.server.reload(lambda: its.settings)
        assert its.server.services.look_ahead is None
