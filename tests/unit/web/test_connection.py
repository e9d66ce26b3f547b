"""Clients that take their time, or too much room, are told so or cut off; nobody else notices."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from fakes.images import blob, image
from fakes.registry import FakeRegistry
from unit.web.serving import NS, Serving, serving, until
from wire.client import Client, client

UNREACHABLE = "http://127.0.0.1:9"
QUICK = {"head": "200ms", "idle": "30s", "stall": "300ms", "slowest": "1GiB"}


async def refused(served: Serving, reason: str) -> float:
    return (await served.metrics()).get(
        f'entrepot_refused_connections_total{{reason="{reason}"}}', 0
    )


def told(body: bytes) -> str:
    return str(json.loads(body)["errors"][0]["message"])


async def test_a_head_that_does_not_end_is_given_up(tmp_path: Path) -> None:
    async with serving(tmp_path, UNREACHABLE, clients=QUICK) as served:
        async with client(served.address) as slow:
            await slow.send_bytes(b"GET /v2/ HTTP/1.1\r\nHost: m\r\nX-")
            got = await slow.hear()
            assert (got.status, told(got.body)[:18]) == (408, "the request's head")
            assert await slow.hear_rest() == b""
        assert await refused(served, "slow_head") == 1
        assert (await served.get("/v2/")).status == 200


async def test_a_head_that_comes_byte_by_byte_is_given_up(tmp_path: Path) -> None:
    async with (
        serving(tmp_path, UNREACHABLE, clients=QUICK) as served,
        client(served.address) as slow,
    ):

        async def drip() -> None:
            for byte in b"GET /v2/ HTTP/1.1\r\n" + b"X: y\r\n" * 1000:
                await slow.send_bytes(bytes([byte]))
                await asyncio.sleep(0.01)

        dripping = asyncio.get_running_loop().create_task(drip())
        assert (await slow.hear()).status == 408
        dripping.cancel()
        await asyncio.wait([dripping])
        assert dripping.cancelled() or isinstance(dripping.exception(), ConnectionError)


async def test_an_idle_connection_is_no_slow_head(tmp_path: Path) -> None:
    async with (
        serving(tmp_path, UNREACHABLE, clients=QUICK) as served,
        client(served.address) as one,
    ):
        assert (await one.ask("GET", "/v2/")).status == 200
        await asyncio.sleep(0.6)
        assert (await one.ask("GET", "/v2/")).status == 200


async def test_an_idle_connection_is_closed_in_the_end(tmp_path: Path) -> None:
    clients = {**QUICK, "idle": "200ms"}
    async with (
        serving(tmp_path, UNREACHABLE, clients=clients) as served,
        client(served.address) as one,
    ):
        assert (await one.ask("GET", "/v2/")).status == 200
        assert await one.hear_rest() == b""


@pytest.mark.parametrize(
    "head",
    [
        b"GET /v2/ HTTP/1.1\r\nHost: m\r\nX: " + b"x" * 20_000 + b"\r\n\r\n",
        b"GET /v2/" + b"x" * 20_000 + b" HTTP/1.1\r\nHost: m\r\n\r\n",
        b"GET /v2/ HTTP/1.1\r\nHost: m\r\n" + b"X: y\r\n" * 200 + b"\r\n",
        b"GET /v2/ HTTP/1.1\r\nHost: m\r\n" + (b"X: " + b"y" * 10_000 + b"\r\n") * 8,
    ],
    ids=["one header", "the request line", "many headers", "all together, without an end"],
)
async def test_a_head_that_is_too_large_is_431(head: bytes, tmp_path: Path) -> None:
    async with serving(tmp_path, UNREACHABLE) as served:
        async with client(served.address) as one:
            one.writer.write(head)
            got = await one.hear()
        assert (got.status, got.header("Content-Type")) == (431, "application/json")
        assert "xxx" not in told(got.body)


async def test_what_is_no_http_hears_json_and_no_echo(tmp_path: Path) -> None:
    async with serving(tmp_path, UNREACHABLE) as served:
        async with client(served.address) as one:
            await one.send_bytes(b"GET /v2/ HTTP/1.1\r\nAuthorization hunter2\r\n\r\n")
            got = await one.hear()
        assert (got.status, got.header("Content-Type")) == (400, "application/json")
        assert b"hunter2" not in got.body
        assert await refused(served, "malformed") == 1


async def test_a_client_that_takes_nothing_of_a_manifest_is_cut_off(tmp_path: Path) -> None:
    """Answers from memory wait in our buffers, where sendfile's own limit does not reach."""
    async with FakeRegistry() as mirror, serving(tmp_path, mirror, clients=QUICK) as served:
        padded = image(1).manifest.rstrip()[:-1] + b" " * 4_000_000 + b"}"
        mirror.put_manifest("pause", "3.1", padded)
        request = f"GET /v2/pause/manifests/3.1{NS} HTTP/1.1\r\nHost: m\r\n\r\n".encode()
        async with client(served.address) as deaf:
            small(deaf)
            deaf.writer.transport.pause_reading()  # type: ignore[attr-defined]
            await deaf.send_bytes(request * 10)
            await until(lambda: served_gone(served))
        assert await refused(served, "slow_reader") == 1
        assert (await served.get("/v2/")).status == 200


def small(one: Client) -> None:
    sock = one.writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)


def served_gone(served: Serving) -> bool:
    counted = served.server.services.metrics.render().decode()
    return 'entrepot_refused_connections_total{reason="slow_reader"} 1.0' in counted


async def test_a_client_that_takes_nothing_of_a_blob_is_cut_off(tmp_path: Path) -> None:
    data = blob(20_000_000)
    async with FakeRegistry() as mirror, serving(tmp_path, mirror, clients=QUICK) as served:
        digest = mirror.put_blob("pause", data)
        async with client(served.address) as deaf, client(served.address) as good:
            await deaf.send("GET", f"/v2/pause/blobs/{digest}{NS}")
            await deaf.hear_head()
            deaf.writer.transport.pause_reading()  # type: ignore[attr-defined]
            assert (await good.ask("GET", f"/v2/pause/blobs/{digest}{NS}")).body == data
            await until(lambda: len(served.server.crowd) <= 1)


async def test_one_connection_too_many_is_told_to_come_back(tmp_path: Path) -> None:
    clients = {"connections": 2}
    async with serving(tmp_path, UNREACHABLE, clients=clients) as served, AsyncExitStack() as stack:
        first = await stack.enter_async_context(client(served.address))
        second = await stack.enter_async_context(client(served.address))
        for one in (first, second):
            assert (await one.ask("GET", "/v2/")).status == 200
        third = await stack.enter_async_context(client(served.address))
        got = await third.hear()
        assert (got.status, got.header("Retry-After")) == (503, "10")
        assert json.loads(got.body)["errors"][0]["code"] == "TOOMANYREQUESTS"
        assert (await first.ask("GET", "/v2/")).status == 200
        assert await refused(served, "too_many_connections") == 1
        second.leave()
        await until(lambda: len(served.server.crowd) == 1)
        assert (await served.get("/v2/")).status == 200


async def test_one_address_cannot_take_all(tmp_path: Path) -> None:
    clients = {"connections_per_address": 1}
    async with (
        serving(tmp_path, UNREACHABLE, clients=clients) as served,
        client(served.address) as one,
    ):
        assert (await one.ask("GET", "/v2/")).status == 200
        assert (await served.get("/v2/")).status == 503
        other, port = "127.0.0.2", int(served.address.rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(other, 0))
        assert (await Client(reader, writer, served.address).ask("GET", "/v2/")).status == 200
        writer.close()
        await writer.wait_closed()


async def test_a_flood_of_connections_leaves_nothing_behind(tmp_path: Path) -> None:
    clients = {"connections": 4}
    async with serving(tmp_path, UNREACHABLE, clients=clients) as served:
        host, _, port = served.address.rpartition(":")
        flood = []
        for _ in range(300):
            one = socket.create_connection((host, int(port)))
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            flood.append(one)
            await asyncio.sleep(0)
        assert len(served.server.crowd) <= 4
        for one in flood:
            one.close()
        await until(lambda: len(served.server.crowd) == 0)
        assert (await served.get("/v2/")).status == 200


async def test_those_who_were_turned_away_do_not_outlive_the_server(tmp_path: Path) -> None:
    async with AsyncExitStack() as outlasting:
        async with serving(tmp_path, UNREACHABLE, clients={"connections": 1}) as served:
            inside = await outlasting.enter_async_context(client(served.address))
            assert (await inside.ask("GET", "/v2/")).status == 200
            outside = await outlasting.enter_async_context(client(served.address))
            assert (await outside.hear()).status == 503
        assert await outside.hear_rest() == b""
