"""Start and stop: listeners, what makes a start fail, and what is left after it."""

from __future__ import annotations

import asyncio
import socket
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from entrepot.app import running
from entrepot.errors import StoreError, StoreLocked
from fakes.images import blob, image
from fakes.registry import FakeRegistry, Fault
from unit.web.serving import NS, serving, settings_for
from wire.client import ask, client

UNREACHABLE = "http://127.0.0.1:9"


async def refused(address: str) -> bool:
    try:
        await ask(address, "GET", "/v2/")
    except ConnectionError:
        return True
    return False


async def test_addresses_have_the_ports_that_were_taken(tmp_path: Path) -> None:
    listen = ["127.0.0.1:0", "127.0.0.1:0", "[::1]:0"]
    async with serving(tmp_path, UNREACHABLE, listen=listen) as served:
        one, two, six = served.server.addresses
        assert len({one, two, six, served.admin}) == 4
        assert six.startswith("[::1]:")
        for address in (one, two):
            assert (await ask(address, "GET", "/v2/")).status == 200


async def test_nothing_listens_before_or_after(tmp_path: Path) -> None:
    async with serving(tmp_path, UNREACHABLE) as served:
        addresses = [*served.server.addresses, served.admin]
        seen = [served.server.ready]
    assert [*seen, served.server.ready] == [True, False]
    for address in addresses:
        assert await refused(address)


async def test_without_an_admin_listener(tmp_path: Path) -> None:
    async with serving(tmp_path, UNREACHABLE, admin=None) as served:
        assert served.server.admin_address is None
        assert (await served.get("/v2/")).status == 200


@pytest.mark.rule("P28")
async def test_a_start_needs_no_mirror(tmp_path: Path) -> None:
    async with serving(tmp_path, UNREACHABLE) as served:
        assert (await ask(served.admin, "GET", "/readyz")).status == 200
        got = await served.get(f"/v2/pause/manifests/3.1{NS}")
        assert got.status == 502


async def test_two_servers_do_not_share_a_cache(tmp_path: Path) -> None:
    async with serving(tmp_path, UNREACHABLE):
        with pytest.raises(StoreLocked):
            async with running(settings_for(tmp_path, UNREACHABLE)):
                pytest.fail("it started all the same")


async def test_a_port_in_use_fails_the_start_and_leaves_nothing(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        settings = settings_for(tmp_path, UNREACHABLE, listen=["127.0.0.1:0", f"127.0.0.1:{port}"])
        with pytest.raises(OSError, match="address already in use"):
            async with running(settings):
                pytest.fail("it started all the same")
    async with serving(tmp_path, UNREACHABLE) as served:
        assert (await served.get("/v2/")).status == 200


async def test_a_cache_that_is_a_file_fails_the_start(tmp_path: Path) -> None:
    (tmp_path / "cache").write_bytes(b"")
    with pytest.raises(StoreError):
        async with running(settings_for(tmp_path, UNREACHABLE)):
            pytest.fail("it started all the same")


async def test_a_transfer_in_progress_is_finished_while_draining(tmp_path: Path) -> None:
    data = blob(1_000_000)
    async with FakeRegistry() as mirror, AsyncExitStack() as outlasting:
        digest = mirror.put_blob("pause", data)
        mirror.fault(Fault("drip", path="/blobs/", bytes_per_second=4_000_000))
        async with serving(tmp_path, mirror) as served:
            one = await outlasting.enter_async_context(client(served.address))
            await one.send("GET", f"/v2/pause/blobs/{digest}{NS}")
            head = await one.hear_head()
            rest = asyncio.get_running_loop().create_task(one.hear_bytes(len(data)))
            await mirror.until_sent(1, "/blobs/")
        assert head.length == len(data)
        assert await rest == data


async def test_draining_ends_although_a_client_is_slow(tmp_path: Path) -> None:
    data = blob(30_000_000)
    loop = asyncio.get_running_loop()
    async with FakeRegistry() as mirror, AsyncExitStack() as outlasting:
        digest = mirror.put_blob("pause", data)
        timeouts = {"headers": 10.0, "overtake": 2.0, "drain": 1.0}
        async with serving(tmp_path, mirror, timeouts=timeouts) as served:
            one = await outlasting.enter_async_context(client(served.address))
            await one.send("GET", f"/v2/pause/blobs/{digest}{NS}")
            await one.hear_head()  # and reads no further
            began = loop.time()
        assert loop.time() - began < 10.0


async def test_what_was_kept_is_there_after_a_restart(tmp_path: Path) -> None:
    pause = image(1)
    async with FakeRegistry() as mirror:
        mirror.put_image("pause", "3.1", pause)
        async with serving(tmp_path, mirror) as served:
            await served.get(f"/v2/pause/manifests/3.1{NS}")
        mirror.clear()
        async with serving(tmp_path, mirror) as served:
            got = await served.get(f"/v2/pause/manifests/3.1{NS}")
            assert (got.status, got.body) == (200, pause.manifest)
            assert got.header("Entrepot-Source") == "hit"
        assert mirror.requests == []
