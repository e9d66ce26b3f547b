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
from benchmarks.families import FILES, Population
from benchmarks.steady import Percentiles, steadily
from benchmarks.synthetic import REGISTRY, write
from benchmarks.wander import wander
from programs.entrepot import Entrepot

SIZES = (10_000, 100_000, 1_000_000)
SEED = 1
RATE = 500.0
REQUESTS = 50_000
_IDLE_S = 20.0
_WARM_STARTS = 3
_NOBODY = "http://127.0.0.1:9"


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


@dataclass(frozen=True, slots=True)
class Line:
    """A figure's name and how it is shown."""

    name: str
    show: Callable[[Scale], str]


def _mib(size: int) -> str:
    return f"{size / 2**20:,.0f} MiB"


def _latency(found: Percentiles | None) -> str:
    return "-" if found is None else f"{found.p50_s * 1e3:.2f} / {found.p99_s * 1e3:.2f} ms"


LINES = (
    Line("blobs", lambda one: f"{one.blobs:,}"),
    Line(
        "ready after exec, cold page cache",
        lambda one: "-" if one.cold_start_s is None else f"{one.cold_start_s:.2f} s",
    ),
    Line("ready after exec, warm", lambda one: f"{one.warm_start_s:.2f} s"),
    Line("RSS when ready", lambda one: _mib(one.rss_started_bytes)),
    Line(f"RSS after {REQUESTS:,} random requests", lambda one: _mib(one.rss_served_bytes)),
    Line("random requests a second", lambda one: f"{one.requests_per_s:,.0f}"),
    Line("cached manifest p50 / p99, idle", lambda one: _latency(one.idle)),
    Line("catalog.db", lambda one: _mib(one.catalog_bytes)),
)


class Case:
    """One cache directory under measurement."""

    def __init__(self, directory: Path, population: Population, say: Callable[[str], None]) -> None:
        self._directory = directory
        self._population = population
        self._say = say
        self.found = Scale(population.files)

    async def run(self) -> Scale:
        """Start, serve, measure, stop."""
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
        self.found.catalog_bytes = (server.cache / "catalog.db").stat().st_size
        return self.found

    def _config(self) -> dict[str, object]:
        registry = {"mirrors": [{"url": _NOBODY}], "tag_ttl": "10000d"}
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
        self.found.requests_per_s = REQUESTS / (time.monotonic() - began)
        self.found.rss_served_bytes = process.rss_bytes(server.pid)
        self._tell(f"RSS {_mib(self.found.rss_served_bytes)} after {REQUESTS:,} requests")

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
    sizes: Sequence[int], keep: Path | None, say: Callable[[str], None]
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
            found.append(await Case(directory, population, say).run())
            if keep is None:
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
@click.option("--json", "json_file", type=click.Path(dir_okay=False, path_type=Path))
def main(*, blobs: tuple[int, ...], keep: Path | None, json_file: Path | None) -> None:
    """Measure caches of 10,000, 100,000 and 1,000,000 blobs, or of as many as --blobs says."""
    found, about = asyncio.run(run(blobs or SIZES, keep, lambda text: click.echo(text, err=True)))
    click.echo(table(found))
    if json_file is not None:
        document = {"machine": about, "scales": [asdict(one) for one in found]}
        json_file.write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main()
