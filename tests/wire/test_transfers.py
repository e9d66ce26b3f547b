"""Blobs on their way: mirrors that break, stall and lie; clients that come in the middle."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from fakes.images import blob
from fakes.registry import FakeRegistry, Fault, FaultKind
from unit.web.serving import NS, serving
from wire.client import Answer, client

MIB = 1 << 20
HASTE = {"headers": 2.0, "overtake": 0.3, "stall": 0.3, "connect": 1.0}
WITHHELD = 256 * 1024
"""What no client may have before the digest is known to be right."""


def target_of(digest: object) -> str:
    return f"/v2/pause/blobs/{digest}{NS}"


def assert_nothing_poisoned(path: Path) -> None:
    stored = [one for one in (path / "cache" / "blobs").rglob("*") if one.is_file()]
    for one in stored:
        assert hashlib.sha256(one.read_bytes()).hexdigest() == one.name


@pytest.mark.rule("T-3", "E-1", "X-4")
@pytest.mark.parametrize("kind", ["reset", "truncate"])
async def test_a_mirror_that_dies_halfway_is_replaced_inside_the_answer(
    kind: FaultKind, tmp_path: Path
) -> None:
    data = blob(4 * MIB)
    async with (
        FakeRegistry() as first,
        FakeRegistry() as second,
        serving(tmp_path, first, second, timeouts=HASTE) as served,
    ):
        digest = first.put_blob("pause", data)
        second.put_blob("pause", data)
        first.fault(Fault(kind, path="/blobs/", after_bytes=2 * MIB, times=None))
        got = await served.get(target_of(digest))
        assert (got.status, got.whole, got.body == data) == (200, True, True)
        (resumed,) = second.asked("/blobs/", "GET")
        start = int(resumed.headers["Range"].removeprefix("bytes=").removesuffix("-"))
        assert 0 < start <= 2 * MIB
        assert second.bytes_sent("/blobs/") == len(data) - start
        await served.until_filled()
        assert_nothing_poisoned(tmp_path)


@pytest.mark.rule("T-3", "T-4", "T-5", "D-4", "P-3", "X-4")
async def test_with_no_mirror_left_the_connection_is_cut_and_the_rest_comes_later(
    tmp_path: Path,
) -> None:
    data = blob(4 * MIB)
    async with FakeRegistry() as mirror, serving(tmp_path, mirror, timeouts=HASTE) as served:
        digest = mirror.put_blob("pause", data)
        mirror.fault(Fault("reset", path="/blobs/", after_bytes=2 * MIB))
        mirror.fault(Fault("refuse", path="/blobs/", times=None))
        got = await served.get(target_of(digest))
        assert (got.status, got.length, got.whole) == (200, len(data), False)
        assert 0 < len(got.body) <= 2 * MIB
        assert got.body == data[: len(got.body)]
        await served.until_filled()
        mirror.clear_faults()
        mirror.clear()
        start = len(got.body)
        rest = await served.get(target_of(digest), ("Range", f"bytes={start}-"))
        assert rest.status == 206
        assert rest.header("Content-Range") == f"bytes {start}-{len(data) - 1}/{len(data)}"
        assert got.body + rest.body == data
        assert mirror.bytes_sent("/blobs/") < len(data)


@pytest.mark.rule("T-2", "E-1")
async def test_a_mirror_that_stalls_is_replaced_inside_the_answer(tmp_path: Path) -> None:
    data = blob(3 * MIB)
    async with (
        FakeRegistry() as first,
        FakeRegistry() as second,
        serving(tmp_path, first, second, timeouts=HASTE) as served,
    ):
        digest = first.put_blob("pause", data)
        second.put_blob("pause", data)
        first.fault(Fault("stall", path="/blobs/", after_bytes=MIB))
        got = await served.get(target_of(digest))
        assert (got.status, got.whole, got.body == data) == (200, True, True)
        assert second.bytes_sent("/blobs/") < len(data)


@pytest.mark.rule("T-2", "T-3")
async def test_when_the_only_mirror_stalls_for_good_the_connection_is_cut(tmp_path: Path) -> None:
    data = blob(3 * MIB)
    haste = {**HASTE, "headers": 0.6}
    async with FakeRegistry() as mirror, serving(tmp_path, mirror, timeouts=haste) as served:
        digest = mirror.put_blob("pause", data)
        mirror.fault(Fault("stall", path="/blobs/", after_bytes=MIB))
        mirror.fault(Fault("silent", path="/blobs/", times=None))
        got = await served.get(target_of(digest))
        assert (got.status, got.whole) == (200, False)
        assert got.body == data[: len(got.body)]


@pytest.mark.rule("T-1")
async def test_the_answer_begins_before_the_blob_is_here(tmp_path: Path) -> None:
    data = blob(2 * MIB)
    async with FakeRegistry() as mirror, serving(tmp_path, mirror) as served:
        digest = mirror.put_blob("pause", data)
        mirror.fault(Fault("stall", path="/blobs/", after_bytes=MIB))
        async with client(served.address) as one:
            await one.send("GET", target_of(digest))
            head = await one.hear_head()
            assert (head.status, head.length) == (200, len(data))
            assert await one.hear_bytes(MIB // 2) == data[: MIB // 2]


@pytest.mark.rule("T-6", "C-10", "X-8")
async def test_twelve_open_ranges_each_dropped_early_cost_one_download(tmp_path: Path) -> None:
    """What containerd does with concurrent_layer_fetch_buffer, while the blob still comes."""
    data = blob(12 * MIB)
    async with (
        FakeRegistry(bytes_per_second=24 * MIB) as mirror,
        serving(tmp_path, mirror) as served,
    ):
        digest = mirror.put_blob("pause", data)

        async def chunk(start: int) -> tuple[Answer, bytes]:
            async with client(served.address) as one:
                await one.send("GET", target_of(digest), ("Range", f"bytes={start}-"))
                head = await one.hear_head()
                got = await one.hear_bytes(min(MIB, len(data) - start))
                one.leave()
                return head, got

        first = await chunk(0)
        others = await asyncio.gather(
            *(chunk(n * MIB) for n in (11, 3, 7, 1, 9, 2, 5, 4, 10, 8, 6))
        )
        assert {head.status for head, _ in [first, *others]} == {206}
        for head, got in [first, *others]:
            start = int((head.header("Content-Range") or "").split()[1].partition("-")[0])
            assert head.header("Content-Range") == f"bytes {start}-{len(data) - 1}/{len(data)}"
            assert head.length == len(data) - start
            assert got == data[start : start + MIB]
        await served.until_filled()
        assert len(mirror.asked("/blobs/", "GET")) == 1
        assert mirror.bytes_sent("/blobs/") == len(data)
        assert (await served.get(target_of(digest))).body == data
        assert len(mirror.asked("/blobs/", "GET")) == 1


@pytest.mark.rule("T-9", "U-13")
@pytest.mark.parametrize("wrong_at", [0, -1], ids=["first byte", "last byte"])
async def test_wrong_bytes_never_become_a_whole_blob(wrong_at: int, tmp_path: Path) -> None:
    data = blob(MIB)
    async with (
        FakeRegistry() as first,
        FakeRegistry() as second,
        serving(tmp_path, first, second, timeouts=HASTE) as served,
    ):
        digest = first.put_blob("pause", data)
        second.put_blob("pause", data)
        first.fault(Fault("flip", path="/blobs/", after_bytes=wrong_at, times=None))
        got = await served.get(target_of(digest))
        assert (got.length, got.whole) == (len(data), False)
        assert len(got.body) <= len(data) - WITHHELD
        again = await served.get(target_of(digest))
        assert (again.status, again.whole, again.body == data) == (200, True, True)
        assert len(first.asked("/blobs/", "GET")) == 1
        await served.until_filled()
        assert_nothing_poisoned(tmp_path)


@pytest.mark.rule("T-9")
async def test_a_small_blob_with_wrong_bytes_is_replaced_unseen(tmp_path: Path) -> None:
    data = blob(1000)
    async with (
        FakeRegistry() as first,
        FakeRegistry() as second,
        serving(tmp_path, first, second, timeouts=HASTE) as served,
    ):
        digest = first.put_blob("pause", data)
        second.put_blob("pause", data)
        first.fault(Fault("flip", path="/blobs/", times=None))
        got = await served.get(target_of(digest))
        assert (got.status, got.whole, got.body) == (200, True, data)


@pytest.mark.rule("T-9")
async def test_with_only_wrong_bytes_to_be_had_nothing_is_kept(tmp_path: Path) -> None:
    data = blob(MIB)
    async with FakeRegistry() as mirror, serving(tmp_path, mirror, timeouts=HASTE) as served:
        digest = mirror.put_blob("pause", data)
        mirror.fault(Fault("flip", path="/blobs/", times=None))
        for span in ((), (("Range", "bytes=500000-"),)):
            got = await served.get(target_of(digest), *span)
            assert not got.whole or got.status >= 500
        await served.until_filled()
        assert_nothing_poisoned(tmp_path)
        assert (await served.ask("HEAD", target_of(digest))).header("Entrepot-Source") != "hit"


@pytest.mark.rule("E-1", "U-11")
async def test_a_blob_the_first_mirror_lacks_comes_from_the_next(tmp_path: Path) -> None:
    async with (
        FakeRegistry() as first,
        FakeRegistry() as second,
        serving(tmp_path, first, second) as served,
    ):
        digest = second.put_blob("pause", b"only here")
        first.put_blob("pause", b"something else")
        got = await served.get(target_of(digest))
        assert (got.status, got.body) == (200, b"only here")


@pytest.mark.rule("Q-1")
async def test_a_length_nobody_says_is_found_out(tmp_path: Path) -> None:
    """Mirrors say it; the unusual one is behind a proxy that chunks."""
    data = blob(MIB)
    async with chunked(data) as url, serving(tmp_path, url) as served:
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        got = await served.get(target_of(digest))
        assert (got.status, got.whole, got.body == data) == (200, True, True)
        await served.until_filled()
        again = await served.get(target_of(digest))
        assert (again.length, again.body == data) == (len(data), True)


@asynccontextmanager
async def chunked(data: bytes) -> AsyncIterator[str]:
    """The url of a server that answers everything with `data`, in chunks, and hangs up."""

    async def reply(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n")
        writer.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(data), data))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(reply, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await server.wait_closed()
