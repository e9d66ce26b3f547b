"""Clients that go away, at any moment: they take nothing with them and leave nothing behind.

That no task and no file is left is what conftest.py holds every test to.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import pytest

from fakes.images import blob, image
from fakes.registry import FakeRegistry, Fault
from unit.web.serving import NS, Serving, serving, until
from wire.client import Client, client

MIB = 1 << 20
DATA = blob(3 * MIB)
PAUSE = image(1)


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """A client that leaves is nothing to complain about (T-6)."""
    yield
    loud = [one for one in caplog.records if one.levelno >= logging.WARNING]
    assert [one.getMessage() for one in loud if not one.name.startswith("asyncio")] == []


def open_files() -> int:
    """How many blobs and partial files of a cache this process has open."""
    found = 0
    for one in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):
            found += "blobs" in (parts := one.readlink().parts) or "partial" in parts
    return found


async def gone(served: Serving, count: int = 1) -> None:
    """Wait until so many requests have been counted as left by their client."""

    def seen() -> bool:
        text = served.server.services.metrics.render().decode()
        lines = [line for line in text.splitlines() if 'result="gone"' in line]
        return sum(float(line.rpartition(" ")[2]) for line in lines) >= count

    await until(seen)


@pytest.mark.rule("X-8", "T-6", "P17")
async def test_before_a_blobs_mirror_has_answered(tmp_path: Path) -> None:
    async with FakeRegistry() as mirror, serving(tmp_path, mirror) as served:
        digest = mirror.put_blob("pause", DATA)
        mirror.fault(Fault("slow_headers", path="/blobs/", delay=0.15))
        async with client(served.address) as one:
            await one.send("GET", f"/v2/pause/blobs/{digest}{NS}")
            await mirror.until_asked("/blobs/")
            one.leave()
        await gone(served)
        await served.until_filled()
        got = await served.get(f"/v2/pause/blobs/{digest}{NS}")
        assert (got.body == DATA, got.header("Entrepot-Source")) == (True, "hit")
        assert len(mirror.requests) == 1


@pytest.mark.rule("X-8", "P17")
@pytest.mark.parametrize("reference", ["3.1", str(PAUSE.digest)], ids=["tag", "digest"])
async def test_before_a_manifests_mirror_has_answered(reference: str, tmp_path: Path) -> None:
    async with FakeRegistry() as mirror, serving(tmp_path, mirror) as served:
        mirror.put_image("pause", "3.1", PAUSE)
        mirror.fault(Fault("slow_headers", delay=0.15))
        async with client(served.address) as one, client(served.address) as other:
            for each in (one, other):
                await each.send("GET", f"/v2/pause/manifests/{reference}{NS}")
            await mirror.until_asked("/manifests/")
            one.leave()
            await gone(served)
            assert (await other.hear()).body == PAUSE.manifest
        assert len(mirror.requests) == 1


@pytest.mark.rule("X-8", "T-6", "P17")
async def test_in_the_middle_of_a_body_that_is_still_coming(tmp_path: Path) -> None:
    async with FakeRegistry() as mirror, serving(tmp_path, mirror) as served:
        digest = mirror.put_blob("pause", DATA)
        mirror.fault(Fault("drip", path="/blobs/", after_bytes=MIB, bytes_per_second=8 * MIB))
        async with client(served.address) as one:
            await one.send("GET", f"/v2/pause/blobs/{digest}{NS}")
            await one.hear_head()
            await one.hear_bytes(100_000)
            assert open_files() > 0
            one.leave()
        await served.until_filled()
        await gone(served)
        assert open_files() == 0
        assert mirror.bytes_sent("/blobs/") == len(DATA)
        got = await served.get(f"/v2/pause/blobs/{digest}{NS}")
        assert (got.body == DATA, len(mirror.requests)) == (True, 1)


@pytest.mark.rule("X-8", "T-2")
async def test_while_waiting_for_bytes_that_do_not_come(tmp_path: Path) -> None:
    """No byte moves, so only the connection itself can tell that the client has left."""
    async with FakeRegistry() as mirror, serving(tmp_path, mirror) as served:
        digest = mirror.put_blob("pause", DATA)
        mirror.fault(Fault("stall", path="/blobs/", after_bytes=MIB))
        async with client(served.address) as one:
            await one.send("GET", f"/v2/pause/blobs/{digest}{NS}")
            await one.hear_head()
            await one.hear_bytes(MIB // 2)
            one.leave()
        await gone(served)
        assert len(served.server.services.blobs.fills) == 1


@pytest.mark.rule("X-8")
async def test_in_the_middle_of_a_body_that_is_here(tmp_path: Path) -> None:
    large = blob(64 * MIB)
    async with FakeRegistry() as mirror, serving(tmp_path, mirror) as served:
        digest = mirror.put_blob("pause", large)
        await served.get(f"/v2/pause/blobs/{digest}{NS}")
        await served.until_filled()
        async with client(served.address) as one:
            await one.send("GET", f"/v2/pause/blobs/{digest}{NS}")
            await one.hear_head()
            await one.hear_bytes(100_000)
            assert open_files() > 0
            one.leave()
        await gone(served)
        assert open_files() == 0


@pytest.mark.rule("T-6", "P18")
async def test_some_of_many_readers(tmp_path: Path) -> None:
    async with FakeRegistry() as mirror, serving(tmp_path, mirror) as served:
        digest = mirror.put_blob("pause", DATA)
        mirror.fault(Fault("drip", path="/blobs/", after_bytes=0, bytes_per_second=12 * MIB))
        async with AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(client(served.address)) for _ in range(10)]

            async def pull(number: int, one: Client) -> bytes:
                await one.send("GET", f"/v2/pause/blobs/{digest}{NS}")
                await one.hear_head()
                if number % 2:
                    await one.hear_bytes(number * 10_000)
                    one.leave()
                    return b""
                return await one.hear_bytes(len(DATA))

            got = await asyncio.gather(*(pull(n, one) for n, one in enumerate(clients)))
        assert all(body == DATA for body in got[::2])
        assert len(mirror.requests) == 1


@pytest.mark.rule("T-6")
async def test_the_log_says_gone_and_how_far_it_came(tmp_path: Path) -> None:
    async with FakeRegistry() as mirror, serving(tmp_path, mirror) as served:
        digest = mirror.put_blob("pause", DATA)
        mirror.fault(Fault("stall", path="/blobs/", after_bytes=MIB))
        async with client(served.address) as one:
            await one.send("GET", f"/v2/pause/blobs/{digest}{NS}")
            await one.hear_head()
            await one.hear_bytes(1000)
            one.leave()
        await gone(served)
        samples = await served.metrics()
        (name,) = [one for one in samples if one.startswith("entrepot_requests_total{")]
        assert 'result="gone",status="200"' in name


@pytest.mark.rule("P17")
async def test_the_server_itself_stops_in_the_middle(tmp_path: Path) -> None:
    """What was fetched stays on the disk, and the next start goes on from there."""
    async with FakeRegistry() as mirror:
        digest = mirror.put_blob("pause", DATA)
        mirror.fault(Fault("stall", path="/blobs/", after_bytes=2 * MIB))
        async with serving(tmp_path, mirror) as served, client(served.address) as one:
            await one.send("GET", f"/v2/pause/blobs/{digest}{NS}")
            await one.hear_head()
            await one.hear_bytes(MIB)
            one.leave()
        mirror.clear()
        async with serving(tmp_path, mirror) as served:
            got = await served.get(f"/v2/pause/blobs/{digest}{NS}")
            assert (got.status, got.body == DATA) == (200, True)
            assert mirror.bytes_sent("/blobs/") < len(DATA)
