"""New settings under load: nothing that is in flight notices."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from fakes.images import blob, image, sha256
from fakes.registry import FakeRegistry, Fault
from programs.daemon import plain_environment, run
from programs.entrepot import Entrepot
from unit.web.serving import NS, until
from wire.client import Client, client

pytestmark = pytest.mark.faults

JOINING, READING, ASKING = 700, 100, 200
COLD, HELD = blob(1_500_000, "cold"), blob(12 << 20, "held")
_PIECE_BYTES = 256 << 10


def settings(*mirrors: FakeRegistry, **more: object) -> dict[str, object]:
    told = [{"url": one.url, "limits": {"concurrency": 2 * ASKING}} for one in mirrors]
    return {
        "timeouts": {"overtake": 15},
        "registries": {"registry.k8s.io": {"aliases": ["k8s.gcr.io"], "mirrors": told}},
        **more,
    }


def rewrite(file: Path, changes: Mapping[str, object]) -> None:
    told = {**json.loads(file.read_text()), **changes}
    other = file.with_suffix(".new")
    other.write_text(json.dumps(told))
    other.rename(file)


async def hashed(one: Client, length: int) -> str:
    digest, left = hashlib.sha256(), length
    while left:
        data = await one.reader.read(min(left, _PIECE_BYTES))
        assert data, f"cut off with {left} bytes to come"
        digest.update(data)
        left -= len(data)
    return digest.hexdigest()


class Crowd:
    """Clients that have sent a request, and go on once they are let."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.begun = 0
        self.go_on = asyncio.Event()

    async def fetch(self, data: bytes, *, pausing: bool) -> None:
        wanted = sha256(data)
        async with client(self.address) as one:
            await one.send("GET", f"/v2/pause/blobs/{wanted}{NS}")
            head = await one.hear_head()
            assert (head.status, head.length) == (200, len(data))
            self.begun += 1
            if pausing:
                await self.go_on.wait()
            assert await hashed(one, len(data)) == wanted.hex

    async def ask(self, tag: str) -> None:
        async with client(self.address) as one:
            assert (await one.ask("GET", f"/v2/pause/manifests/{tag}{NS}")).status == 200


async def test_a_thousand_requests_in_flight_do_not_notice(tmp_path: Path) -> None:
    """Half-way through all of them the mirror is exchanged for another, twice."""
    async with (
        FakeRegistry(bytes_per_second=400_000) as old,
        FakeRegistry() as new,
        Entrepot(settings(old), tmp_path) as server,
    ):
        file = tmp_path / "entrepot.yaml"
        for mirror in (old, new):
            mirror.put_blob("pause", COLD)
            mirror.put_blob("pause", HELD)
            mirror.put_image("pause", "later", image("later"))
            for number in range(ASKING):
                mirror.put_image("pause", f"t{number}", image(number))
        old.bytes_per_second = None
        async with client(server.url.removeprefix("http://")) as one:
            assert (await one.ask("GET", f"/v2/pause/blobs/{sha256(HELD)}{NS}")).status == 200
        old.bytes_per_second = 400_000
        old.fault(Fault("slow_headers", path="/manifests/t", times=None, delay=4.0))
        crowd = Crowd(server.url.removeprefix("http://"))
        async with asyncio.TaskGroup() as tasks:
            for _ in range(READING):
                _ = tasks.create_task(crowd.fetch(HELD, pausing=True))
            for _ in range(JOINING):
                _ = tasks.create_task(crowd.fetch(COLD, pausing=False))
            for number in range(ASKING):
                _ = tasks.create_task(crowd.ask(f"t{number}"))
            await old.until_asked("/manifests/t", count=ASKING)
            await until(lambda: crowd.begun == READING + JOINING, 15.0)
            assert old.bytes_sent(sha256(COLD).hex) < len(COLD), "the download is over already"
            rewrite(file, settings(new, tags={"ttl": 1}))
            environment = plain_environment(tmp_path)
            words = (sys.executable, "-m", "entrepot", "reload", "--config", str(file))
            told = await run(*words, environment=environment)
            assert "registries.registry.k8s.io" in told
            rewrite(file, {"tags": {"ttl": "nonsense"}, "registries": {"r": {"mirors": []}}})
            with pytest.raises(RuntimeError, match=r"tags\.ttl(.|\n)*mirors"):
                await run(*words, environment=environment)
            os.kill(server.pid, signal.SIGHUP)
            await until(lambda: "settings.refused" in server.log())
            rewrite(file, settings(new, tags={"ttl": 2}))
            os.kill(server.pid, signal.SIGHUP)
            await until(lambda: server.log().count("settings.reloaded") == 2)
            crowd.go_on.set()
        log = server.log()
        assert log.count("settings.refused") == 1
        assert "status=50" not in log
        assert "cut" not in {line.partition("source=")[2].split(" ")[0] for line in log.split("\n")}
        assert old.bytes_sent(sha256(COLD).hex) == len(COLD), "it went on with the old mirror"
        assert new.bytes_sent() == 0
        await until(lambda: "settings.retired mirrors=1" in server.log())
        old.clear()
        async with client(crowd.address) as one:
            assert (await one.ask("GET", f"/v2/pause/manifests/later{NS}")).status == 200
        assert new.asked("/manifests/later")
        assert old.requests == []
