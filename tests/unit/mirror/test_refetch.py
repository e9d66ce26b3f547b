"""What is hard to get again, as a factor."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from entrepot.config import MirrorSettings, TimeoutSettings
from entrepot.errors import MirrorUnreachable
from entrepot.mirror.refetch import NOBODY, OTHERS_ONLY, SLOWEST, RefetchCost, pace
from entrepot.mirror.registry import Registry
from entrepot.store.candidates import Part
from entrepot.upstream.mirror import MirrorClient

MIB = 1 << 20


@pytest.fixture
async def registry() -> AsyncIterator[Registry]:
    clients = []
    for name in ("a", "b"):
        settings = MirrorSettings.model_validate({"name": name, "url": f"http://{name}.example"})
        clients.append(MirrorClient("r", settings, TimeoutSettings()))
        await clients[-1].start()
    yield Registry("r", tuple(clients), 300.0)
    for client in clients:
        await client.aclose()


def part(mirror: str = "a", registry: str = "r", seconds: float = 0.0, size: int = MIB) -> Part:
    return Part("d", size, 0.0, registry, mirror, seconds, shared=False)


def test_pace() -> None:
    assert pace(0.0, MIB) == pace(1.0, 0) == 1.0
    assert pace(1.0, MIB) == 2.0
    assert pace(1.0, 10 * MIB) == pytest.approx(1.1)
    assert pace(1000.0, MIB) == SLOWEST


async def test_reach(registry: Registry) -> None:
    cost = RefetchCost({"r": registry}, lambda: 0.0)
    assert cost([part("a"), part("b")]) == 1.0
    assert cost([]) == cost([part("", "")]) == cost([part("")]) == 1.0
    assert cost([part("a", "gone.example")]) == NOBODY
    a, b = registry.mirrors
    a.health.record_failure(MirrorUnreachable("refused"), 0.0)
    assert cost([part("a")]) == OTHERS_ONLY
    assert cost([part("a,b")]) == 1.0
    assert cost([part("a"), part("b", size=0)]) == OTHERS_ONLY
    b.health.record_failure(MirrorUnreachable("refused"), 0.0)
    assert cost([part("b"), part("a")]) == NOBODY


async def test_slow_and_out_of_reach_multiply(registry: Registry) -> None:
    cost = RefetchCost({"r": registry}, lambda: 0.0)
    assert cost([part(seconds=1.0), part()]) == 2.0
    registry.mirrors[0].health.record_failure(MirrorUnreachable("refused"), 0.0)
    assert cost([part(seconds=1.0)]) == 2.0 * OTHERS_ONLY
