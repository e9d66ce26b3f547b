"""What is measured, figure by figure. Servers take turns inside a round, so that a busy moment of
the machine falls on all of them; each figure starts its own servers with empty caches."""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

from benchmarks import load, process
from benchmarks.content import MANIFEST_TYPE, Blob, Content, write_content
from benchmarks.origin import ThrottledOrigin
from benchmarks.result import Figure, Row
from benchmarks.servers import SERVERS, Running, entrepot
from programs.nginx import Nginx, StaticRegistry

ORIGIN_BYTES_PER_SECOND = 10_000_000
_WARM_S = 60.0
_SETTLE_S = 30.0
_POLL_S = 0.1
_PIECE = bytes(1 << 20)


@dataclass(frozen=True, slots=True)
class Scale:
    """How much of everything."""

    wrk_s: int
    wrk_rounds: int
    blob_bytes: int
    blob_rounds: int
    ingest_rounds: int
    cold_bytes: int


FULL = Scale(5, 3, 1 << 30, 5, 3, 100_000_000)
QUICK = Scale(2, 1, 256 << 20, 3, 1, 21_000_000)


class Bench:
    """Where a run happens: its directory and its scale."""

    def __init__(self, directory: Path, scale: Scale, say: Callable[[str], None]) -> None:
        self.scale = scale
        self.say = say
        self._directory = directory
        self._number = count(1)

    def _fresh(self, name: str) -> Path:
        return self._directory / f"{next(self._number)}-{name}"

    async def content(self, size: int) -> Content:
        """An image with a layer of `size` bytes."""
        return await asyncio.to_thread(write_content, self._fresh("tree"), size=size, seed=size)

    def origin(self, content: Content) -> Nginx:
        """An origin that costs as little as one can: static files, sendfile."""
        tags = {content.tag_target: content.manifest_digest}
        role = StaticRegistry(root=content.root, tags=tags, manifest_type=MANIFEST_TYPE)
        return Nginx(self._fresh("origin"), role)

    async def settle(self, size: int) -> None:
        """Let nobody pay for what others left unwritten, or for memory nobody had touched before.

        A virtual machine gets each page from its host the first time it is used, which takes longer
        than filling it; a file of `size` bytes, written and removed, leaves as many pages at hand.
        """
        await asyncio.to_thread(_touch, self._fresh("settle"), size)

    @asynccontextmanager
    async def server(self, name: str, origin: str) -> AsyncIterator[Running]:
        """That server with an empty cache, which is removed afterwards."""
        directory = self._fresh(name)
        try:
            async with SERVERS[name](directory, origin) as running:
                yield running
        finally:
            await asyncio.to_thread(shutil.rmtree, directory, ignore_errors=True)

    @asynccontextmanager
    async def stripes(self, origins: Sequence[str]) -> AsyncIterator[Running]:
        """Entrepot with several mirrors and an empty cache."""
        async with entrepot(self._fresh("stripes"), *origins) as running:
            yield running

    @asynccontextmanager
    async def servers(self, origin: str) -> AsyncIterator[list[Running]]:
        """All of them at once, in the order they take turns."""
        async with AsyncExitStack() as stack:
            yield [await stack.enter_async_context(self.server(n, origin)) for n in SERVERS]


def _touch(path: Path, size: int) -> None:
    with path.open("wb") as file:
        for _ in range(size // len(_PIECE)):
            file.write(_PIECE)
    path.unlink()
    os.sync()


async def manifests(bench: Bench) -> list[Figure]:
    """Manifests from the cache, by tag and by digest."""
    scale = bench.scale
    content = await bench.content(1 << 20)
    targets = {"tag": content.tag_target, "digest": content.digest_target}
    rates: dict[tuple[str, str], list[float]] = {}
    used: dict[tuple[str, str], float] = {}
    async with bench.origin(content) as origin, bench.servers(origin.url) as servers:
        for by, target in targets.items():
            for running in servers:
                await load.requests_per_second(running.url(target), 1)
            for _ in range(scale.wrk_rounds):
                for running in servers:
                    before = process.cpu_s(running.pid)
                    rate = await load.requests_per_second(running.url(target), scale.wrk_s)
                    cpu = process.cpu_s(running.pid) - before
                    key = by, running.name
                    rates.setdefault(key, []).append(rate)
                    used[key] = used.get(key, 0.0) + cpu / (rate * scale.wrk_s)
                    bench.say(f"manifest by {by}: {running.name}: {rate:,.0f} requests/s")
    case = f"{load.WRK_CONNECTIONS} connections"
    return [
        Figure(
            name=f"manifests-by-{by}",
            title=f"Manifests by {by}, cached",
            unit="requests/s",
            rows=[
                Row(
                    name,
                    case,
                    tuple(rates[by, name]),
                    {"cpu_us_per_request": used[by, name] / scale.wrk_rounds * 1e6},
                )
                for name in SERVERS
            ],
        )
        for by in targets
    ]


async def cached_blob(bench: Bench) -> list[Figure]:
    """One client, one big blob, all of it in the cache."""
    content = await bench.content(bench.scale.blob_bytes)
    blob = content.blob
    seconds: dict[str, list[float]] = {name: [] for name in SERVERS}
    first: dict[str, list[float]] = {name: [] for name in SERVERS}
    used: dict[str, float] = dict.fromkeys(SERVERS, 0.0)
    async with bench.origin(content) as origin, bench.servers(origin.url) as servers:
        for running in servers:
            await _warm(running, blob, origin)
            process.forget_peak(running.pid)
        for _ in range(bench.scale.blob_rounds):
            for running in servers:
                before = process.cpu_s(running.pid)
                done = await load.download(running.url(blob.target), blob.size)
                used[running.name] += process.cpu_s(running.pid) - before
                seconds[running.name].append(done.seconds)
                first[running.name].append(done.first_byte_s)
                bench.say(f"cached blob: {running.name}: {done.seconds:.2f} s")
        rows = [
            Row(
                running.name,
                "1 client",
                tuple(seconds[running.name]),
                {
                    "cpu_s": used[running.name] / bench.scale.blob_rounds,
                    "peak_rss_bytes": process.peak_rss_bytes(running.pid),
                },
            )
            for running in servers
        ]
    return [Figure("cached-blob", f"Cached blob of {_size(blob.size)}", "s", rows)]


async def _warm(running: Running, blob: Blob, origin: Nginx) -> None:
    """Fetch until a fetch takes nothing from the origin: distribution stores in the background."""
    async with asyncio.timeout(_WARM_S):
        while True:
            before = origin.bytes_sent(contains=blob.digest)
            await load.download(running.url(blob.target), blob.size)
            if before and origin.bytes_sent(contains=blob.digest) == before:
                return
            await asyncio.sleep(_POLL_S)


async def ingest(bench: Bench) -> list[Figure]:
    """One client, one big blob, none of it in the cache, an origin as fast as it can be."""
    content = await bench.content(bench.scale.blob_bytes)
    blob = content.blob
    seconds: dict[str, list[float]] = {name: [] for name in SERVERS}
    used: dict[str, float] = dict.fromkeys(SERVERS, 0.0)
    rss: dict[str, int] = dict.fromkeys(SERVERS, 0)
    async with bench.origin(content) as origin:
        for _ in range(bench.scale.ingest_rounds):
            for name in SERVERS:
                async with bench.server(name, origin.url) as running:
                    await bench.settle(blob.size * 3 // 2)
                    before = process.cpu_s(running.pid)
                    done = await load.download(running.url(blob.target), blob.size)
                    used[name] += process.cpu_s(running.pid) - before
                    rss[name] = max(rss[name], process.peak_rss_bytes(running.pid))
                    seconds[name].append(done.seconds)
                    bench.say(f"cold blob: {name}: {done.seconds:.2f} s")
    rows = [
        Row(
            name,
            "1 client",
            tuple(seconds[name]),
            {"cpu_s": used[name] / bench.scale.ingest_rounds, "peak_rss_bytes": rss[name]},
        )
        for name in SERVERS
    ]
    return [Figure("ingest", f"Cold blob of {_size(blob.size)}, fast origin", "s", rows)]


async def fan_out(bench: Bench) -> list[Figure]:
    """Many clients at once for one cold blob, from an origin that gives 10 MB/s a connection."""
    content = await bench.content(bench.scale.cold_bytes)
    blob = content.blob
    cases = [(name, clients) for clients in (1, 8) for name in SERVERS] + [("entrepot", 100)]
    async with ThrottledOrigin(ORIGIN_BYTES_PER_SECOND, blob) as origin:
        rows = [await _fan(origin, blob, "no mirror", origin.url + blob.target, clients=1)]
        for name, clients in cases:
            async with bench.server(name, origin.url) as running:
                before = process.cpu_s(running.pid)
                row = await _fan(origin, blob, name, running.url(blob.target), clients=clients)
                used = {
                    "cpu_s": process.cpu_s(running.pid) - before,
                    "peak_rss_bytes": process.peak_rss_bytes(running.pid),
                }
            rows.append(replace(row, beside={**row.beside, **used}))
            bench.say(f"fan-out of {clients}: {name}: {rows[-1].median:.2f} s")
    title = f"Cold blob of {_size(blob.size)}, origin giving 10 MB/s a connection"
    return [Figure("fan-out", title, "s", rows)]


async def striped(bench: Bench) -> list[Figure]:
    """The same cold blob from one mirror and from three, each giving 10 MB/s a connection."""
    content = await bench.content(bench.scale.cold_bytes)
    blob = content.blob
    rows: list[Row] = []
    async with AsyncExitStack() as stack:
        origins = [
            await stack.enter_async_context(ThrottledOrigin(ORIGIN_BYTES_PER_SECOND, blob))
            for _ in range(3)
        ]
        direct = await load.read_together(origins[0].url + blob.target, blob, 1)
        rows.append(Row("no mirror", "1 client", (direct[0].seconds,), {}))
        for mirrors in (1, 3):
            for clients in (1, 8, 100):
                case = f"{clients} client{'s' * (clients > 1)}"
                row = await _stripe(bench, origins[:mirrors], blob, clients)
                name = "entrepot, 1 mirror" if mirrors == 1 else f"entrepot, {mirrors} mirrors"
                rows.append(replace(row, server=name, case=case))
                bench.say(f"{name}: {case}: {rows[-1].median:.2f} s")
    title = f"Cold blob of {_size(blob.size)} from one and three mirrors of 10 MB/s a connection"
    return [Figure("striped", title, "s", rows)]


async def _stripe(
    bench: Bench, origins: Sequence[ThrottledOrigin], blob: Blob, clients: int
) -> Row:
    before = sum([await origin.bytes_sent() for origin in origins])
    async with bench.stripes([origin.url for origin in origins]) as running:
        cpu = process.cpu_s(running.pid)
        readings = await load.read_together(running.url(blob.target), blob, clients)
        beside = {
            "cpu_s": process.cpu_s(running.pid) - cpu,
            "peak_rss_bytes": process.peak_rss_bytes(running.pid),
        }
    fetched = sum([await _settled(origin) for origin in origins]) - before
    first = [reading.first_byte_s for reading in readings]
    beside |= {
        "fetched_times": fetched / blob.size,
        "first_byte_fastest_s": min(first),
        "first_byte_slowest_s": max(first),
    }
    return Row("", "", (max(reading.seconds for reading in readings),), beside)


async def _fan(origin: ThrottledOrigin, blob: Blob, name: str, url: str, *, clients: int) -> Row:
    before = await origin.bytes_sent()
    readings = await load.read_together(url, blob, clients)
    fetched = await _settled(origin) - before
    first = [reading.first_byte_s for reading in readings]
    beside = {
        "fetched_times": fetched / blob.size,
        "first_byte_fastest_s": min(first),
        "first_byte_slowest_s": max(first),
    }
    wall = max(reading.seconds for reading in readings)
    return Row(name, f"{clients} client{'s' * (clients > 1)}", (wall,), beside)


async def _settled(origin: ThrottledOrigin) -> int:
    """Bytes sent, once no more are being sent: a mirror may fetch on after its clients are done."""
    deadline = time.monotonic() + _SETTLE_S
    sent = await origin.bytes_sent()
    while time.monotonic() < deadline:
        await asyncio.sleep(3 * _POLL_S)
        before, sent = sent, await origin.bytes_sent()
        if sent == before:
            return sent
    raise load.LoadFailed("the origin is still sending")


def _size(size: int) -> str:
    """1 GiB, 256 MiB, 100 MB."""
    for unit, name in ((1 << 30, "GiB"), (1 << 20, "MiB"), (10**6, "MB")):
        if size % unit == 0:
            return f"{size // unit} {name}"
    return f"{size} bytes"


FIGURES: Mapping[str, Callable[[Bench], Awaitable[list[Figure]]]] = {
    "manifests": manifests,
    "cached-blob": cached_blob,
    "fan-out": fan_out,
    "striped": striped,
    "ingest": ingest,
}
