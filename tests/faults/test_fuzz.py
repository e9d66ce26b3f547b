"""Hostile requests by the hundred thousand: nothing breaks, leaks, or goes where it should not."""

from __future__ import annotations

import asyncio
import json
import os
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

import pytest

from entrepot.oci.digest import Digest
from fakes.images import image
from fakes.registry import FakeRegistry
from faults.hostile import Generator, Hostile
from faults.pulling import Puller
from programs.entrepot import Entrepot
from wire.client import ask

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]

CLIENTS, BATCH = 8, 25
GROWTH = 1.1
SPARE_DESCRIPTORS = 12
"""Threads and SQLite open some of theirs late, and keep them."""
_WAIT_S = 30.0
_LIMIT_BYTES = 1 << 24


@dataclass
class Fuzz:
    """Eight clients that send what the generator makes, and look at everything that comes back."""

    address: str
    generator: Generator
    left: int
    done: int = 0
    counted: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    async def client(self) -> None:
        """Go on until enough has been sent."""
        while self.left > 0 and len(self.wrong) < 20:
            batch: list[Hostile] = []
            while self.left > 0 and len(batch) < BATCH:
                self.left -= 1
                one = self.generator.next()
                if one.alone:
                    await self._alone(one)
                    self.done += 1
                else:
                    batch.append(one)
            if batch:
                await self._together(batch)
                self.done += len(batch)

    async def _together(self, batch: list[Hostile]) -> None:
        """Pipelined on one connection: every one must be answered, in turn."""
        reader, writer = await self._connect()
        at = 0
        try:
            async with asyncio.timeout(_WAIT_S):
                writer.write(b"".join(one.data for one in batch))
                for at, one in enumerate(batch):  # noqa: B007 - to tell which
                    await self._answer(reader, one)
                self.counted["pipelined"] += len(batch)
        except (asyncio.IncompleteReadError, ConnectionError, TimeoutError, ValueError) as error:
            told = f"{type(error).__name__}: {error} at {batch[at].data[:300]!r}"
            self.wrong.append(told + f" after {batch[at - 1].data[:300]!r}")
        finally:
            await _close(writer)

    async def _alone(self, one: Hostile) -> None:
        """On a connection of its own, which may be closed without an answer."""
        reader, writer = await self._connect()
        try:
            async with asyncio.timeout(_WAIT_S):
                writer.write(one.data)
                if one.cut:
                    writer.write_eof()
                    await reader.read(1000)
                else:
                    with suppress(asyncio.IncompleteReadError):
                        if one.data.endswith(b"\r\n\r\n") or b"\r\n\r\n" in one.data:
                            await self._answer(reader, one)
                self.counted["alone"] += 1
        except ConnectionError:
            self.counted["reset"] += 1
        except (TimeoutError, ValueError) as error:
            self.wrong.append(f"{type(error).__name__}: {error} alone at {one.data[:300]!r}")
        finally:
            await _close(writer)

    async def _answer(self, reader: asyncio.StreamReader, one: Hostile) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        status = int(head.split(" ", 2)[1])
        if status == 100:
            return await self._answer(reader, one)
        headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in head.split("\r\n")[1:])
        }
        body = b""
        if one.method != "HEAD":
            body = await reader.readexactly(int(headers["content-length"]))
        self.counted[str(status)] += 1
        if status >= 500 and one.method == "HEAD":  # which has no room for a reason
            await self._alone(Hostile(b"GET" + one.data[4:], "GET", alone=True))
        elif status >= 500 and b'"mirror":' not in body:
            self.wrong.append(f"{status} {body[:300]!r} to {one.data[:300]!r}")
        if status >= 400 and headers.get("content-type") != "application/json":
            self.wrong.append(f"{headers} to {one.data[:300]!r}")
        return None

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        host, _, port = self.address.rpartition(":")
        return await asyncio.open_connection(host, int(port), limit=_LIMIT_BYTES)


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()
    with suppress(ConnectionError):
        await writer.wait_closed()


@dataclass(frozen=True, slots=True)
class State:
    """What the server has taken so far."""

    rss_bytes: int
    descriptors: int
    threads: int
    cpu_s: float

    @staticmethod
    def of(entrepot: Entrepot) -> State:
        process = Path(f"/proc/{entrepot.pid}")
        fields = (process / "stat").read_text().rpartition(")")[2].split()
        return State(
            rss_bytes=entrepot.rss_bytes(),
            descriptors=len(list((process / "fd").iterdir())),
            threads=int(fields[17]),
            cpu_s=(int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"),
        )

    def __str__(self) -> str:
        return (
            f"RSS {self.rss_bytes >> 20} MiB, {self.descriptors} descriptors,"
            f" {self.threads} threads, {self.cpu_s:.0f} s of processor time"
        )


def _audited(file: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in file.read_text().splitlines():
        event, what = json.loads(line)
        found.setdefault(event, []).append(what)
    return found


def _outside(audited: dict[str, list[str]], cache: Path) -> list[str]:
    """Everything that was written to, made, renamed or run outside the cache."""
    connecting = ("socket.",)
    return [
        f"{event} {what}"
        for event, paths in audited.items()
        if not event.startswith(connecting)
        for what in paths
        if not Path(what).is_relative_to(cache) or ".." in Path(what).parts
    ]


def _tree(directory: Path) -> set[str]:
    return {str(path.relative_to(directory)) for path in directory.iterdir()}


@pytest.mark.rule("S-6", "S-9", "P26", "N-4", "C-8")
async def test_hostile_requests(
    tmp_path: Path, fault_seed: int, fuzz_requests: int, figures: list[str]
) -> None:
    """No 5xx but a mirror's, no connection but to a mirror, no file but in the cache; flat."""
    good = image(f"fuzz {fault_seed}", layers=[1000, 200_000])
    directory, audit = tmp_path / "entrepot", tmp_path / "audit"
    async with FakeRegistry() as mirror:
        mirror.put_image("fuzz/app", "1", good)
        mirror.put_image("manifests/blobs", "latest", good)
        registry = {"aliases": ["k8s.gcr.io"], "mirrors": [{"url": mirror.url}]}
        settings: dict[str, object] = {
            "registries": {"registry.k8s.io": registry, "docker.io": {"mirrors": [mirror.url]}}
        }
        settings["clients"] = {"head": "2s", "idle": "2s"}
        watched = {
            "PYTHONPATH": str(Path(__file__).parent / "audit"),
            "AUDIT_FILE": str(audit),
            "PYTHONDONTWRITEBYTECODE": "1",  # Python caches code at the first start
        }
        async with Entrepot(settings, directory, environment=watched) as entrepot:
            digests = [str(good.digest), *(str(Digest.of(one)) for one in good.blobs)]
            names = ("fuzz/app", "manifests/blobs")
            fuzz = Fuzz(
                entrepot.url.removeprefix("http://"),
                Generator(f"fuzz {fault_seed}", names, digests),
                fuzz_requests,
            )
            began = monotonic()
            async with asyncio.TaskGroup() as group:
                for _ in range(CLIENTS):
                    group.create_task(fuzz.client())
                while fuzz.done < fuzz_requests // 10 and not fuzz.wrong:
                    await asyncio.sleep(0.02)
                before = State.of(entrepot)
            took_s, after = monotonic() - began, State.of(entrepot)
            await Puller(fuzz.address, Counter()).pull("fuzz/app", "1", good)
            metrics = await ask(entrepot.admin_url.removeprefix("http://"), "GET", "/metrics")
        log, asked = entrepot.log(), len(mirror.requests)
    audited = _audited(audit)
    figures += [
        f"fuzz: {fuzz.done} hostile requests in {took_s:.0f} s ({fuzz.done / took_s:.0f}/s)",
        f"fuzz: answers {dict(sorted(fuzz.counted.items()))}, {asked} questions to the mirror",
        f"fuzz: after 10 % {before}, at the end {after}",
        f"fuzz: connected to {sorted(set(audited['socket.connect']))}",
    ]
    assert fuzz.wrong == [], "\n".join(one[:700] for one in fuzz.wrong[:10])
    assert fuzz.done == fuzz_requests
    assert set(audited["socket.connect"]) == {str(["127.0.0.1", mirror.port])}
    assert set(audited.get("socket.getaddrinfo", [])) <= {"127.0.0.1"}
    assert _outside(audited, entrepot.cache) == []
    assert _tree(directory) == {"entrepot.yaml", "entrepot.log", "cache"}
    assert after.rss_bytes <= GROWTH * before.rss_bytes
    assert after.descriptors <= before.descriptors + SPARE_DESCRIPTORS
    assert "request.died" not in log
    assert "Traceback" not in log
    assert metrics.body.count(b"entrepot_requests_total{") < 200
