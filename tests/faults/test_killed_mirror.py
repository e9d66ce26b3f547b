"""A mirror dies in the middle of a blob that eight clients read; none of them sees a break."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from fakes.images import blob, sha256
from fakes.registry import FakeRegistry
from programs.entrepot import Entrepot
from unit.web.serving import NS, until
from wire.client import Answer, ask

pytestmark = [pytest.mark.faults, pytest.mark.timeout(120)]

DATA = blob(20_000_000, "killed mirror")
BYTES_PER_S = 20_000_000
CLIENTS = 8
MOST_FETCHED = 1.1
KILLED_AT = [0.10, 0.50, 0.99]
AWAY = [(0.10, 3.0), (0.50, 3.0), (0.99, 3.0), (0.50, 10.0)]


@asynccontextmanager
async def entrepot_over(path: Path, mirrors: Sequence[FakeRegistry]) -> AsyncIterator[Entrepot]:
    """With the settings that people have; every mirror holds `DATA`."""
    for mirror in mirrors:
        mirror.put_blob("pause", DATA)
    registry = {"aliases": ["k8s.gcr.io"], "mirrors": [{"url": mirror.url} for mirror in mirrors]}
    settings = {"registries": {"registry.k8s.io": registry}}
    async with Entrepot(settings, path / "entrepot") as entrepot:
        yield entrepot


def start_reading(group: asyncio.TaskGroup, entrepot: Entrepot) -> list[asyncio.Task[Answer]]:
    """Eight clients, each with one GET of the whole blob."""
    address = entrepot.url.removeprefix("http://")
    target = f"/v2/pause/blobs/{sha256(DATA)}{NS}"
    return [group.create_task(ask(address, "GET", target)) for _ in range(CLIENTS)]


async def until_sent(mirrors: Sequence[FakeRegistry], part: float) -> None:
    await until(lambda: _sent(mirrors) >= part * len(DATA), timeout_s=30.0)


def _sent(mirrors: Sequence[FakeRegistry]) -> int:
    return sum(mirror.bytes_sent("/blobs/") for mirror in mirrors)


def check(reading: Sequence[asyncio.Task[Answer]], mirrors: Sequence[FakeRegistry]) -> str:
    """All whole and right, at the first request; not fetched much more than once."""
    for task in reading:
        answer = task.result()
        assert (answer.status, answer.whole, answer.body == DATA) == (200, True, True)
    fetched = _sent(mirrors) / len(DATA)
    assert fetched <= MOST_FETCHED
    return f"{len(reading)} clients of {len(reading)} right, fetched {fetched:.3f} times"


@pytest.mark.rule("T-2", "T-3", "E-1", "X-4")
@pytest.mark.parametrize("killed_at", KILLED_AT)
async def test_another_mirror_takes_over(
    killed_at: float, figures: list[str], tmp_path: Path
) -> None:
    async with (
        FakeRegistry(bytes_per_second=BYTES_PER_S) as first,
        FakeRegistry(bytes_per_second=BYTES_PER_S) as second,
        entrepot_over(tmp_path, [first, second]) as entrepot,
    ):
        async with asyncio.TaskGroup() as group:
            reading = start_reading(group, entrepot)
            await until_sent([first, second], killed_at)
            await first.stop()
        assert first.bytes_sent("/blobs/") > 0
        assert second.bytes_sent("/blobs/") > 0
        told = check(reading, [first, second])
    figures.append(f"one of two mirrors killed at {killed_at:.0%}: {told}")


@pytest.mark.rule("T-2", "T-3", "X-4")
@pytest.mark.parametrize(("killed_at", "away_s"), AWAY)
async def test_the_only_mirror_comes_back(
    killed_at: float, away_s: float, figures: list[str], tmp_path: Path
) -> None:
    """Readers wait while nobody has the rest, and lose nothing of what they have."""
    async with (
        FakeRegistry(bytes_per_second=BYTES_PER_S) as mirror,
        entrepot_over(tmp_path, [mirror]) as entrepot,
    ):
        async with asyncio.TaskGroup() as group:
            reading = start_reading(group, entrepot)
            await until_sent([mirror], killed_at)
            await mirror.stop()
            await asyncio.sleep(away_s)
            await mirror.start()
        told = check(reading, [mirror])
    figures.append(f"the only mirror killed at {killed_at:.0%}, back after {away_s:g} s: {told}")
