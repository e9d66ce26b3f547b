"""How Entrepot fares with a cache of a million blobs: `python -m benchmarks.scale`."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from benchmarks import machine, process, report
from benchmarks.endless import LARGE_BYTES, large, mirror
from benchmarks.families import FILES, Population
from benchmarks.keepalive import KeptAlive
from benchmarks.steady import Percentiles, steadily
from benchmarks.synthetic import REGISTRY, write
from benchmarks.wander import wander
from benchmarks.watch import LogTail, totals, until
from entrepot.mirror.evictor import WARM_S
from fakes.images import sha256
from programs.entrepot import Entrepot

SIZES = (10_000, 100_000, 1_000_000)
SEED = 1
RATE = 500.0
REQUESTS = 50_000
_IDLE_S = 20.0
_WARM_STARTS = 3
_NOBODY = "http://127.0.0.1:9"
_ENOUGH_S, _LEAST_LEFT = 5.0, 0.5
PASS = 10_000
"""How many blobs an eviction pass takes that is measured by itself: it may be part of a longer."""


@dataclass(slots=True)
class Scale:
    """What one size of cache brought; None is what was not measured."""

    blobs: int
    cold_start_s: float | None = None
    warm_start_s: float = 0.0
    rss_started_bytes: int = 0
    idle: Percentiles | None = None
    requests_per_s: float = 0.0
    rss_served_bytes: int = 0
    catalog_bytes: int = 0
    sweep: Percentiles | None = None
    sweep_s: float | None = None
    before: Percentiles | None = None
    first: Percentiles | None = None
    first_s: float | None = None
    eviction: Percentiles | None = None
    evicted_blobs: int | None = None
    passes: int | None = None
    eviction_s: float | None = None
    rss_peak_bytes: int = 0


@dataclass(frozen=True, slots=True)
class _Pass:
    """When it took place, and until when it had taken 10,000 blobs, if it did."""

    begin: float
    first: float | None
    end: float


@dataclass(frozen=True, slots=True)
class Line:
    """A figure's name and how it is shown."""

    name: str
    show: Callable[[Scale], str]


def _mib(size: int) -> str:
    return f"{size / 2**20:,.0f} MiB"


def _latency(found: Percentiles | None) -> str:
    return "-" if found is None else f"{found.p50_s * 1e3:.2f} / {found.p99_s * 1e3:.2f} ms"


def _seconds(found: float | None) -> str:
    return "-" if found is None else f"{found:.2f} s"


def _times(found: Percentiles | None, idle: Percentiles | None) -> str:
    return "-" if found is None or idle is None else f"{found.p99_s / idle.p99_s:.1f}x"


def _count(found: int | None) -> str:
    return "-" if found is None else f"{found:,}"


LINES = (
    Line("blobs", lambda one: f"{one.blobs:,}"),
    Line("ready after exec, cold page cache", lambda one: _seconds(one.cold_start_s)),
    Line("ready after exec, warm", lambda one: _seconds(one.warm_start_s)),
    Line("RSS when ready", lambda one: _mib(one.rss_started_bytes)),
    Line(f"RSS after {REQUESTS:,} random requests", lambda one: _mib(one.rss_served_bytes)),
    Line("random requests a second", lambda one: f"{one.requests_per_s:,.0f}"),
    Line("cached manifest p50 / p99, idle", lambda one: _latency(one.idle)),
    Line("the same during a sweep", lambda one: _latency(one.sweep)),
    Line("p99 during a sweep / idle", lambda one: _times(one.sweep, one.idle)),
    Line("the sweep", lambda one: _seconds(one.sweep_s)),
    Line("the same for 20 s before a pass", lambda one: _latency(one.before)),
    Line(f"the same while {PASS:,} blobs are evicted", lambda one: _latency(one.first)),
    Line(f"p99 while {PASS:,} are evicted / before", lambda one: _times(one.first, one.before)),
    Line(f"evicting {PASS:,}", lambda one: _seconds(one.first_s)),
    Line("passes", lambda one: _count(one.passes)),
    Line("the same during the whole passes", lambda one: _latency(one.eviction)),
    Line("p99 during the whole passes / before", lambda one: _times(one.eviction, one.before)),
    Line("blobs evicted by the whole passes", lambda one: _count(one.evicted_blobs)),
    Line("the whole passes", lambda one: _seconds(one.eviction_s)),
    Line("largest RSS at any time", lambda one: _mib(one.rss_peak_bytes)),
    Line("catalog.db", lambda one: _mib(one.catalog_bytes)),
)


class Case:
    """One cache directory under measurement."""

    def __init__(self, directory: Path, population: Population, say: Callable[[str], None]) -> None:
        self._directory = directory
        self._population = population
        self._say = say
        self.found = Scale(population.files)
        self._asked_until = time.monotonic()

    async def run(self, *, evict: bool, ahead: bool) -> Scale:
        """Start, serve, sweep, stop, measuring all the while; then, with `evict`, make room.

        `ahead`: when room is made, server and client run before everything else on the machine.
        """
        server = Entrepot(self._config(), self._directory)
        self.found.cold_start_s = await _cold()
        began = time.monotonic()
        async with server:
            if self.found.cold_start_s is not None:
                self.found.cold_start_s = time.monotonic() - began
            self.found.warm_start_s = await _warm_start_s(server)
            self.found.rss_started_bytes = process.rss_bytes(server.pid)
            self._tell(f"ready, warm, after {self.found.warm_start_s:.2f} s")
            self.found.idle = await self._idle(server)
            await self._serve(server)
            await self._sweep(server)
            self._note_peak(server)
        self.found.catalog_bytes = (server.cache / "catalog.db").stat().st_size
        if evict:
            await self._evict(ahead=ahead)
        return self.found

    def _config(self, url: str = _NOBODY) -> dict[str, object]:
        registry = {"mirrors": [{"url": url}], "tag_ttl": "10000d"}
        return {"registries": {REGISTRY: registry}}

    async def _idle(self, server: Entrepot) -> Percentiles:
        async with steadily(self._hot(server), RATE) as steady:
            begin = time.monotonic() + 1
            await asyncio.sleep(_IDLE_S + 1)
        found = steady.between(begin, begin + _IDLE_S)
        self._tell(f"idle: {_latency(found)}")
        return found

    async def _serve(self, server: Entrepot) -> None:
        began = time.monotonic()
        await wander(server.url.removeprefix("http://"), self._population, REQUESTS)
        self._asked_until = time.monotonic()
        self.found.requests_per_s = REQUESTS / (time.monotonic() - began)
        self.found.rss_served_bytes = process.rss_bytes(server.pid)
        self._tell(f"RSS {_mib(self.found.rss_served_bytes)} after {REQUESTS:,} requests")

    async def _sweep(self, server: Entrepot) -> None:
        """After a crash the whole cache is looked through in the background."""
        self._note_peak(server)
        await server.kill()
        swept = LogTail(server.log_file, "sweep.done", "catalog.rebuilt")
        await server.start()
        begin = time.monotonic()
        async with steadily(self._hot(server), RATE) as steady:
            await until(lambda: swept.count() > 0)
            end = time.monotonic()
        self.found.sweep, self.found.sweep_s = steady.between(begin, end), end - begin
        self._tell(f"sweep of {end - begin:.1f} s: {_latency(self.found.sweep)}")

    async def _evict(self, *, ahead: bool = False) -> None:
        """A limit just above what there is, and one large blob: a tenth has to go.

        The cache is not what it was afterwards.
        """
        cache = self._directory / "cache"
        self._tell("waiting until what was asked for is not in use any more")
        await asyncio.sleep(max(0.0, self._asked_until + WARM_S - time.monotonic() - _IDLE_S) + 1)
        kept, before = await asyncio.to_thread(totals, cache)
        async with mirror(SEED) as url:
            limit = {"path": str(cache), "max_size": kept + LARGE_BYTES // 2, "min_free": 0}
            server = Entrepot({**self._config(url), "cache": limit}, self._directory)
            async with server:
                async with steadily(self._hot(server), RATE) as steady:
                    if ahead:
                        process.put_ahead(server.pid)
                        process.put_ahead(steady.pid)
                    passes = await self._passes(server, cache, before)
                self._note_peak(server)
        _, after = await asyncio.to_thread(totals, cache)
        found, begin = self.found, passes[0].begin
        found.before = steady.between(begin - _IDLE_S, begin)
        found.evicted_blobs, found.passes = before + len(passes) - after, len(passes)
        found.eviction = steady.during([(one.begin, one.end) for one in passes])
        found.eviction_s = sum(one.end - one.begin for one in passes)
        if (first := passes[0].first) is not None:
            found.first, found.first_s = steady.between(begin, first), first - begin
        self._tell(f"{found.evicted_blobs:,} evicted in {found.eviction_s:.1f} s")
        self._tell(f"before: {_latency(found.before)}")
        self._tell(f"meanwhile: first {_latency(found.first)}, all {_latency(found.eviction)}")

    async def _passes(self, server: Entrepot, cache: Path, before: int) -> list[_Pass]:
        """One pass, or as many as it takes for enough answers; not more than leave a half.

        The log and the catalog are looked at as often before as meanwhile: that costs the same
        cores. A pass begins when the blob that wants its place has been fetched.
        """
        done = LogTail(server.log_file, "eviction.done")
        passes: list[_Pass] = []
        quiet_until = time.monotonic() + _IDLE_S + 1
        await until(lambda: totals(cache)[1] < 0 or time.monotonic() >= quiet_until)
        left = before
        while not passes or (
            sum(one.end - one.begin for one in passes) < _ENOUGH_S and left > _LEAST_LEFT * before
        ):
            await self._fetch_large(server, len(passes) + 1)
            begin, over = time.monotonic(), len(passes) + 1
            await until(lambda: done.count() >= over or before - totals(cache)[1] >= PASS)  # noqa: B023
            first = time.monotonic()
            await until(lambda: totals(cache)[1] < 0 or done.count() >= over)  # noqa: B023
            left = (await asyncio.to_thread(totals, cache))[1]
            whole = before - left >= PASS
            passes.append(_Pass(begin, first if whole else None, time.monotonic()))
        return passes

    async def _fetch_large(self, server: Entrepot, number: int) -> None:
        digest = await asyncio.to_thread(lambda: sha256(large(SEED, number)))
        async with KeptAlive(server.url.removeprefix("http://")) as client:
            answer = await client.ask(b"GET", f"/v2/large/n{number}/blobs/{digest}?ns={REGISTRY}")
        if answer.status != 200:
            raise RuntimeError(f"the large blob was not to be had: {answer.head.decode()}")

    def _note_peak(self, server: Entrepot) -> None:
        peak = server.rss_bytes(peak=True)
        self.found.rss_peak_bytes = max(self.found.rss_peak_bytes, peak)

    def _hot(self, server: Entrepot) -> str:
        family = self._population[len(self._population) // 2]
        return f"{server.url}/v2/{family.repository}/manifests/v0?ns={REGISTRY}"

    def _tell(self, text: str) -> None:
        self._say(f"{self._population.files:,} blobs: {text}")


async def _cold() -> float | None:
    """Empty the page cache; 0, or None where that is not allowed."""
    try:
        await asyncio.to_thread(os.sync)
        await asyncio.to_thread(Path("/proc/sys/vm/drop_caches").write_text, "3")
    except OSError:
        return None
    return 0.0


async def _warm_start_s(server: Entrepot) -> float:
    seconds = []
    for _ in range(_WARM_STARTS):
        await server.stop()
        began = time.monotonic()
        await server.start()
        seconds.append(time.monotonic() - began)
    return statistics.median(seconds)


async def run(
    sizes: Sequence[int],
    keep: Path | None,
    say: Callable[[str], None],
    *,
    evict: bool,
    ahead: bool = False,
) -> tuple[list[Scale], dict[str, machine.Fact]]:
    """Measure each size, in caches that are made first; those in `keep` are used again."""
    found = []
    with tempfile.TemporaryDirectory(prefix="entrepot-scale-") as temporary:
        about = await machine.facts(Path(temporary))
        for size in sizes:
            directory = (keep or Path(temporary)) / f"blobs-{size}"
            cache, population = directory / "cache", Population(SEED, size)
            if not cache.exists():
                say(f"{size:,} blobs: being made")
                directory.mkdir(parents=True)
                await asyncio.to_thread(write, cache, population, now=time.time())
            found.append(await Case(directory, population, say).run(evict=evict, ahead=ahead))
            if keep is None or evict:
                await asyncio.to_thread(shutil.rmtree, directory)
    return found, about


def table(found: Sequence[Scale]) -> str:
    """Sizes as columns, figures as lines."""
    head, *lines = [[line.name, *(line.show(one) for one in found)] for line in LINES]
    return report.aligned([head, *lines], words=1)


@click.command()
@click.option("--blobs", multiple=True, type=click.IntRange(min=FILES), help="May be repeated.")
@click.option(
    "--keep",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where caches are left, to be used by the next run; 5 GB for a million blobs.",
)
@click.option("--evict/--no-evict", default=True, help="Evict a tenth, and remove the cache.")
@click.option("--ahead", is_flag=True, help="Evict before all else that runs; only root may.")
@click.option("--json", "json_file", type=click.Path(dir_okay=False, path_type=Path))
def main(
    *,
    blobs: tuple[int, ...],
    keep: Path | None,
    evict: bool,
    ahead: bool,
    json_file: Path | None,
) -> None:
    """Measure caches of 10,000, 100,000 and 1,000,000 blobs, or of as many as --blobs says."""

    def say(text: str) -> None:
        click.echo(text, err=True)

    found, about = asyncio.run(run(blobs or SIZES, keep, say, evict=evict, ahead=ahead))
    click.echo(table(found))
    if json_file is not None:
        document = {"machine": about, "scales": [asdict(one) for one in found]}
        json_file.write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main()
