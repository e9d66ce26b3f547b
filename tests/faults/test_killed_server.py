"""Entrepot is killed ten times in one download, and goes on each time from what it had written."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from fakes.images import blob, sha256
from fakes.recorded import Recorded
from fakes.registry import FakeRegistry
from programs.entrepot import Entrepot
from unit.web.serving import NS, until
from wire.client import client

pytestmark = [pytest.mark.faults, pytest.mark.timeout(180)]

SIZE = 64_000_000
BYTES_PER_S = 24_000_000
KILLS = 10
IN_FLIGHT_BYTES = 2 << 20
MOST_FETCHED = 1.1
TAIL_BYTES = 1 << 20


def moments(seed: int) -> list[int]:
    """At which bytes of the download to kill, in order, at least a megabyte apart."""
    chance = random.Random(f"kills {seed}")
    free = SIZE - TAIL_BYTES - KILLS * TAIL_BYTES
    drawn = sorted(chance.randrange(free) for _ in range(KILLS))
    return [at + (number + 1) * TAIL_BYTES for number, at in enumerate(drawn)]


def span(request: Recorded) -> tuple[int, int]:
    """Which bytes an answer has brought, or at least sent on their way."""
    found = re.fullmatch(r"bytes=(\d+)-\d*", request.headers.get("Range", "bytes=0-"))
    assert found is not None, request.headers
    start = int(found[1])
    return start, start + request.bytes_sent


def front(requests: Sequence[Recorded]) -> int:
    """Up to where everything has been sent."""
    reached = 0
    for start, stop in sorted(map(span, requests)):
        if start <= reached:
            reached = max(reached, stop)
    return reached


async def read_for_a_while(address: str, target: str) -> None:
    """A client that wants it all, until its server is killed."""
    with suppress(ConnectionError):
        async with client(address) as one:
            await one.send("GET", target)
            while await one.reader.read(1 << 20):
                pass


@pytest.mark.rule("T-4", "P6")
async def test_each_restart_goes_on_from_what_was_written(
    fault_seed: int, figures: list[str], tmp_path: Path
) -> None:
    data = blob(SIZE, "killed server")
    async with FakeRegistry(bytes_per_second=BYTES_PER_S) as mirror:
        registry = {"aliases": ["k8s.gcr.io"], "mirrors": [{"url": mirror.url}]}
        settings = {"registries": {"registry.k8s.io": registry}}
        target = f"/v2/pause/blobs/{mirror.put_blob('pause', data)}{NS}"
        async with Entrepot(settings, tmp_path / "entrepot") as entrepot:
            address = entrepot.url.removeprefix("http://")
            again = []
            for moment in moments(fault_seed):
                before, seen = front(mirror.requests), len(mirror.requests)
                async with asyncio.TaskGroup() as group:
                    group.create_task(read_for_a_while(address, target))
                    await until(lambda at=moment: front(mirror.requests) >= at, 60.0)  # type: ignore[misc]
                    await entrepot.kill()
                again.append(before - span(mirror.requests[seen])[0])
                await mirror.until_idle()
                await entrepot.start()
            before, seen = front(mirror.requests), len(mirror.requests)
            async with client(address) as one:
                answer = await one.ask("GET", target)
            again.append(before - span(mirror.requests[seen])[0])
            assert (answer.status, answer.whole) == (200, True)
            assert sha256(answer.body) == sha256(data)
        fetched = mirror.bytes_sent() / SIZE
        figures.append(
            f"killed server: {KILLS} times, at most {max(again)} bytes again, {fetched:.3f} times"
        )
        assert max(again) <= IN_FLIGHT_BYTES
        assert fetched <= MOST_FETCHED
