"""A yardstick that took wrong bytes for right ones would measure nothing."""

from __future__ import annotations

import pytest

from benchmarks.readers import read
from fakes.images import blob
from fakes.registry import FakeRegistry, Fault

BLOB = blob(600_000, 1)


async def _read(*faults: Fault, clients: int = 1) -> list[tuple[str, int]]:
    async with FakeRegistry() as registry:
        digest = registry.put_blob("bench/image", BLOB)
        for fault in faults:
            registry.fault(fault)
        readings = await read(f"{registry.url}/v2/bench/image/blobs/{digest}", clients, BLOB)
    assert all(0 <= reading.first_byte_s <= reading.seconds for reading in readings)
    return [(reading.problem, reading.received) for reading in readings]


async def test_every_client_gets_the_whole_blob() -> None:
    assert await _read(clients=5) == [("", len(BLOB))] * 5


async def test_a_wrong_byte_is_told() -> None:
    [(problem, received)] = await _read(Fault("flip", after_bytes=500_000))
    assert problem.startswith("wrong bytes after")
    assert received <= 500_000


@pytest.mark.parametrize(
    "fault",
    [Fault("truncate", after_bytes=100_000), Fault("reset", after_bytes=100_000)],
    ids=["truncate", "reset"],
)
async def test_an_early_end_is_told(fault: Fault) -> None:
    [(problem, received)] = await _read(fault)
    assert problem.startswith("connection lost")
    assert received <= 100_000


async def test_an_error_is_told() -> None:
    [(problem, received)] = await _read(Fault("status", status=503))
    assert "503" in problem
    assert received == 0
