"""Many clients at once, slow ones, and connections used in every way HTTP allows."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from fakes.images import blob, image, index
from fakes.registry import FakeRegistry, Fault
from unit.web.serving import NS, serving
from wire.client import client

MIB = 1 << 20
BOTH = index([image(1), image(1, platform="linux/arm64")])
TARGET = f"/v2/pause/manifests/3.1{NS}"


@pytest.mark.rule("X-8", "P18")
@pytest.mark.parametrize("method", ["HEAD", "GET"])
async def test_fifty_clients_ask_for_a_tag_and_the_mirror_is_asked_once(
    method: str, tmp_path: Path
) -> None:
    async with FakeRegistry() as mirror, serving(tmp_path, mirror) as served:
        mirror.put_image("pause", "3.1", BOTH)
        mirror.fault(Fault("slow_headers", delay=0.1, times=None))
        answers = await asyncio.gather(*(served.ask(method, TARGET) for _ in range(50)))
        assert {got.status for got in answers} == {200}
        assert len(mirror.requests) == 1


@pytest.mark.rule("X-8", "P18")
async def test_fifty_clients_ask_for_a_blob_and_it_is_fetched_once(tmp_path: Path) -> None:
    data = blob(2 * MIB)
    async with FakeRegistry() as mirror, serving(tmp_path, mirror) as served:
        digest = mirror.put_blob("pause", data)
        mirror.fault(Fault("slow_headers", delay=0.1, times=None))
        target = f"/v2/pause/blobs/{digest}{NS}"
        answers = await asyncio.gather(*(served.get(target) for _ in range(50)))
        assert all(got.whole and got.body == data for got in answers)
        assert mirror.bytes_sent() == len(data)


@pytest.mark.rule("X-8", "P18")
async def test_everybody_waiting_hears_the_same_failure(tmp_path: Path) -> None:
    async with FakeRegistry() as mirror, serving(tmp_path, mirror) as served:
        mirror.fault(Fault("status", status=500, delay=0.1, times=None))
        for target in (TARGET, f"/v2/pause/blobs/{BOTH.digest}{NS}"):
            mirror.clear()
            answers = await asyncio.gather(*(served.get(target) for _ in range(10)))
            assert {got.status for got in answers} == {502}
            assert len(mirror.requests) == 1


async def test_a_client_that_does_not_read_holds_up_nobody_else(tmp_path: Path) -> None:
    data = blob(16 * MIB)
    async with FakeRegistry() as mirror, serving(tmp_path, mirror) as served:
        digest = mirror.put_blob("pause", data)
        target = f"/v2/pause/blobs/{digest}{NS}"
        async with AsyncExitStack() as stack:
            idle = [await stack.enter_async_context(client(served.address)) for _ in range(5)]
            for one in idle:
                one.writer.transport.pause_reading()  # type: ignore[attr-defined]
                await one.send("GET", target)
            assert (await served.get(target)).body == data
            await served.until_filled()
            assert mirror.bytes_sent() == len(data)
            for one in idle:
                one.leave()


@pytest.mark.rule("Q-2", "N-1")
async def test_head_of_a_blob_that_is_on_its_way(tmp_path: Path) -> None:
    data = blob(2 * MIB)
    async with FakeRegistry() as mirror, serving(tmp_path, mirror) as served:
        digest = mirror.put_blob("pause", data)
        mirror.fault(Fault("stall", path="/blobs/", after_bytes=MIB))
        target = f"/v2/pause/blobs/{digest}{NS}"
        async with client(served.address) as one:
            await one.send("GET", target)
            await one.hear_head()
            got = await served.ask("HEAD", target)
            assert (got.status, got.length) == (200, len(data))
            assert len(mirror.requests) == 1
            one.leave()


async def test_a_connection_is_closed_when_the_client_says_so(tmp_path: Path) -> None:
    async with FakeRegistry() as mirror, serving(tmp_path, mirror) as served:
        mirror.put_image("pause", "3.1", BOTH)
        digest = mirror.put_blob("pause", b"layer")
        for method in ("HEAD", "GET"):
            for target in (TARGET, f"/v2/pause/blobs/{digest}{NS}", "/nothing"):
                async with client(served.address) as one:
                    await one.ask(method, target, ("Connection", "close"))
                    assert await one.hear_rest() == b""


async def test_a_connection_stays_open_otherwise(tmp_path: Path) -> None:
    async with FakeRegistry() as mirror, serving(tmp_path, mirror) as served:
        mirror.put_image("pause", "3.1", BOTH)
        digest = mirror.put_blob("pause", blob(MIB))
        async with client(served.address) as one:
            for _ in range(3):
                assert (await one.ask("GET", TARGET)).status == 200
                got = await one.ask("GET", f"/v2/pause/blobs/{digest}{NS}")
                assert got.body == blob(MIB)
                part = ("Range", "bytes=-10")
                got = await one.ask("GET", f"/v2/pause/blobs/{digest}{NS}", part)
                assert got.body == blob(MIB)[-10:]


async def test_a_get_with_a_body_and_expectations(tmp_path: Path) -> None:
    """Nobody sends it; it must not be taken for the next request all the same."""
    async with FakeRegistry() as mirror, serving(tmp_path, mirror) as served:
        mirror.put_image("pause", "3.1", BOTH)
        async with client(served.address) as one:
            await one.send("GET", TARGET, ("Content-Length", "18"))
            await one.send_bytes(b"GET /x HTTP/1.1\r\n\r")
            assert (await one.hear()).body == BOTH.manifest
            assert (await one.ask("GET", TARGET)).body == BOTH.manifest


@pytest.mark.rule("U-11", "E-1")
async def test_a_blob_named_by_two_registries_is_fetched_once(tmp_path: Path) -> None:
    data = blob(MIB)
    async with FakeRegistry() as first, FakeRegistry() as second:
        digest = first.put_blob("pause", data)
        second.put_blob("library/other", data)
        registries = {
            "registry.k8s.io": {"mirrors": [first.url]},
            "docker.io": {"mirrors": [second.url]},
        }
        async with serving(tmp_path, registries=registries) as served:
            await served.get(f"/v2/pause/blobs/{digest}?ns=registry.k8s.io")
            await served.until_filled()
            got = await served.get(f"/v2/library/other/blobs/{digest}?ns=docker.io")
            assert got.body == data
            assert second.requests == []
