"""Each fault does on the wire what it says."""

from __future__ import annotations

import asyncio
import gzip

import pytest

from fakes.images import blob
from fakes.registry import FakeRegistry, Fault, FaultKind
from unit.fakes.wiretap import wire

DATA = blob(300_000, "fault")


async def _registry_path(registry: FakeRegistry) -> str:
    return f"/v2/pause/blobs/{registry.put_blob('pause', DATA)}"


async def test_refuse_resets_without_an_answer() -> None:
    async with FakeRegistry() as registry:
        registry.fault(Fault("refuse"))
        async with wire(registry.port) as line:
            await line.send(await _registry_path(registry))
            with pytest.raises(ConnectionResetError):
                await line.rest()
        async with wire(registry.port) as line:
            await line.ask(await _registry_path(registry))
            assert await line.body() == DATA


async def test_silent_takes_the_request_and_never_answers() -> None:
    async with FakeRegistry() as registry:
        registry.fault(Fault("silent"))
        async with wire(registry.port) as line:
            await line.send(await _registry_path(registry))
            await registry.until_asked("/blobs/")
            assert await line.nothing_within(0.05)
            assert registry.requests[0].status == 0
        await registry.until_idle()


async def test_accept_silently_is_silent_for_everything() -> None:
    async with FakeRegistry(accept_silently=True) as registry, wire(registry.port) as line:
        await line.send("/v2/")
        assert await line.nothing_within(0.05)


async def test_slow_headers_come_after_the_delay() -> None:
    async with FakeRegistry() as registry, wire(registry.port) as line:
        registry.fault(Fault("slow_headers", delay=0.1))
        started = asyncio.get_running_loop().time()
        await line.ask(await _registry_path(registry))
        assert asyncio.get_running_loop().time() - started >= 0.1
        assert await line.body() == DATA


async def test_status_is_what_was_ordered() -> None:
    async with FakeRegistry() as registry, wire(registry.port) as line:
        registry.fault(Fault("status", status=503, headers={"Retry-After": "7"}, body=b"busy"))
        await line.ask(await _registry_path(registry))
        assert line.status == 503
        assert line.headers["retry-after"] == "7"
        assert await line.body() == b"busy"


@pytest.mark.parametrize("after", [0, 1, 70_000, len(DATA) - 1])
async def test_reset_delivers_exactly_the_bytes_before_it(after: int) -> None:
    async with FakeRegistry() as registry, wire(registry.port) as line:
        registry.fault(Fault("reset", after_bytes=after))
        await line.ask(await _registry_path(registry))
        assert line.headers["content-length"] == str(len(DATA))
        assert await line.reader.readexactly(after) == DATA[:after]
        with pytest.raises(ConnectionResetError):
            await line.reader.readexactly(1)
        assert registry.bytes_sent() == after


@pytest.mark.parametrize("after", [0, 70_000])
async def test_truncate_ends_cleanly_under_the_full_length(after: int) -> None:
    async with FakeRegistry() as registry, wire(registry.port) as line:
        registry.fault(Fault("truncate", after_bytes=after))
        await line.ask(await _registry_path(registry))
        assert line.headers["content-length"] == str(len(DATA))
        assert "connection" not in line.headers
        assert await line.rest() == DATA[:after]


async def test_stall_stops_and_stays_open() -> None:
    async with FakeRegistry() as registry, wire(registry.port) as line:
        registry.fault(Fault("stall", after_bytes=1000))
        await line.ask(await _registry_path(registry))
        assert await line.reader.readexactly(1000) == DATA[:1000]
        assert await line.nothing_within(0.05)
        assert not registry.requests[0].done


async def test_drip_slows_down_after_a_while() -> None:
    async with FakeRegistry() as registry, wire(registry.port) as line:
        registry.fault(Fault("drip", after_bytes=len(DATA) - 20, bytes_per_second=200))
        await line.ask(await _registry_path(registry))
        started = asyncio.get_running_loop().time()
        assert await line.body() == DATA
        assert asyncio.get_running_loop().time() - started >= 0.09


@pytest.mark.parametrize("offset", [0, 1234, -1])
async def test_flip_changes_one_byte_of_the_blob_wherever_the_range_begins(offset: int) -> None:
    at = offset % len(DATA)
    wrong = DATA[:at] + bytes([DATA[at] ^ 1]) + DATA[at + 1 :]
    async with FakeRegistry() as registry, wire(registry.port) as line:
        registry.fault(Fault("flip", after_bytes=offset, times=None))
        await line.ask(await _registry_path(registry))
        assert await line.body() == wrong
        await line.ask(await _registry_path(registry), Range="bytes=1000-")
        assert await line.body() == wrong[1000:]
        await line.ask(await _registry_path(registry), Range="bytes=2000-2999")
        assert await line.body() == DATA[2000:3000]


async def test_html_is_a_200() -> None:
    async with FakeRegistry() as registry, wire(registry.port) as line:
        registry.fault(Fault("html"))
        await line.ask(await _registry_path(registry))
        assert (line.status, line.headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert b"<html>" in await line.body()


@pytest.mark.parametrize("by", [-5, 5])
async def test_wrong_length_lies_in_either_direction(by: int) -> None:
    async with FakeRegistry() as registry, wire(registry.port) as line:
        registry.fault(Fault("wrong_length", by=by))
        await line.ask(await _registry_path(registry))
        assert line.headers["content-length"] == str(len(DATA) + by)
        assert await line.rest() == DATA


async def test_ignore_range_sends_everything() -> None:
    async with FakeRegistry() as registry, wire(registry.port) as line:
        registry.fault(Fault("ignore_range"))
        await line.ask(await _registry_path(registry), Range="bytes=1000-")
        assert line.status == 200
        assert "content-range" not in line.headers
        assert await line.body() == DATA


async def test_wrong_content_range_starts_later_and_says_so() -> None:
    async with FakeRegistry() as registry, wire(registry.port) as line:
        registry.fault(Fault("wrong_content_range", by=3))
        await line.ask(await _registry_path(registry), Range="bytes=1000-")
        size = len(DATA)
        assert line.status == 206
        assert line.headers["content-range"] == f"bytes 1003-{size - 1}/{size}"
        assert await line.body() == DATA[1003:]


async def test_gzip_compresses_whatever_was_asked_for() -> None:
    async with FakeRegistry() as registry, wire(registry.port) as line:
        registry.fault(Fault("gzip"))
        await line.ask(await _registry_path(registry), Accept_Encoding="identity")
        assert line.headers["content-encoding"] == "gzip"
        assert gzip.decompress(await line.body()) == DATA


async def test_redirect_loop_leads_back() -> None:
    async with FakeRegistry() as registry, wire(registry.port) as line:
        registry.fault(Fault("redirect_loop"))
        path = await _registry_path(registry)
        await line.ask(path + "?ns=a%3A1")
        assert line.status == 307
        assert line.headers["location"] == f"{registry.url}{path}?ns=a%3A1"


async def test_expired_url_is_refused_by_the_cdn() -> None:
    async with FakeRegistry(redirect_blobs_to="cdn") as registry, wire(registry.port) as line:
        registry.fault(Fault("expired_url"))
        path = await _registry_path(registry)
        for expected in (403, 200):
            await line.ask(path)
            await line.body()
            target = line.headers["location"].removeprefix(registry.cdn.url)
            async with wire(registry.cdn.port) as second:
                await second.ask(target)
                assert second.status == expected


async def test_faults_strike_in_order_and_as_often_as_said() -> None:
    async with FakeRegistry() as registry, wire(registry.port) as line:
        registry.fault(Fault("status", path="/blobs/", status=500, times=2))
        registry.fault(Fault("status", path=r"/blobs/sha256:[0-9a-f]+$", method="GET", status=502))
        path, statuses = await _registry_path(registry), []
        for method in ("GET", "HEAD", "HEAD", "GET", "GET"):
            await line.ask(path, method)
            statuses.append(line.status)
            if method == "GET":
                await line.body()
        assert statuses == [500, 500, 200, 502, 200]


async def test_head_gets_the_headers_of_a_fault_and_no_body() -> None:
    kinds: tuple[FaultKind, ...] = ("html", "flip", "drip", "wrong_content_range")
    async with FakeRegistry() as registry, wire(registry.port) as line:
        path = await _registry_path(registry)
        for kind in kinds:
            registry.fault(Fault(kind))
            await line.ask(path, "HEAD")
            assert line.status == 200
        await line.ask("/v2/")
        assert await line.body() == b"{}"
        assert registry.bytes_sent("/blobs/") == 0


async def test_leaving_client_ends_the_answer() -> None:
    async with FakeRegistry(bytes_per_second=100_000) as registry:
        async with wire(registry.port) as line:
            await line.ask(await _registry_path(registry))
            await line.reader.readexactly(1000)
        await registry.until_idle()
        assert registry.bytes_sent() < len(DATA)


async def test_stop_resets_open_connections() -> None:
    async with FakeRegistry() as registry, wire(registry.port) as line:
        registry.fault(Fault("stall", after_bytes=10))
        await line.ask(await _registry_path(registry))
        assert await line.reader.readexactly(10) == DATA[:10]
        await registry.stop()
        with pytest.raises(ConnectionResetError):
            await line.reader.readexactly(1)
        assert registry.connections == 0
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", registry.port)


async def test_pace_holds_within_a_few_percent() -> None:
    """The rate is the fake's own promise: benchmarks and fan-out tests are computed from it."""
    async with FakeRegistry(bytes_per_second=3_000_000) as registry, wire(registry.port) as line:
        path = await _registry_path(registry)
        started = asyncio.get_running_loop().time()
        await line.ask(path)
        assert await line.body() == DATA
        assert asyncio.get_running_loop().time() - started >= 0.97 * len(DATA) / 3_000_000


async def test_pace_is_kept_across_requests_of_one_connection() -> None:
    async with FakeRegistry(bytes_per_second=3_000_000) as registry, wire(registry.port) as line:
        path = await _registry_path(registry)
        started = asyncio.get_running_loop().time()
        for first in range(0, 150_000, 15_000):
            await line.ask(path, Range=f"bytes={first}-{first + 14_999}")
            await line.body()
        assert asyncio.get_running_loop().time() - started >= 0.97 * 150_000 / 3_000_000
        assert {one.connection_id for one in registry.requests} == {1}
