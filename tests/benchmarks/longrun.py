"""Many requests to one server, and what it holds on to: `python -m benchmarks.longrun`.

Two load processes, two mirrors of an endless registry, one of them in trouble, and a mirror that is
sick. Between rounds the load rests, so that what is open then is what stays open. What is
remembered of manifests, within its limits, is filled beforehand: what grows then is a leak.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

import aiohttp
import click

from benchmarks import machine, process, report
from benchmarks.endless import WIDE, mirror
from benchmarks.keepalive import KeptAlive
from benchmarks.mixed import REGISTRY, SICK, Mixed
from programs.entrepot import Entrepot

FIRST = 10_000
EVERY = 50_000
_LOADS = 2
_TROUBLED = 0.02
_SETTLE_S = 40.0
_POLL_S = 0.25


@dataclass(frozen=True, slots=True)
class Sample:
    """The server at rest after `requests`; `files` are descriptors that are not sockets.

    `passes` of eviction there have been so far.
    """

    requests: int
    seconds: float
    rss_bytes: int
    files: int
    sockets: int
    threads: int
    tasks: int
    fills: int
    cache_blobs: int
    passes: int
    cpu_s: float

    @property
    def still(self) -> tuple[int, ...]:
        """What does not change while nothing is asked."""
        return self.files, self.sockets, self.tasks, self.fills


@dataclass(frozen=True, slots=True)
class Plan:
    """How many requests, how many before the first sample, how many between two."""

    seed: int
    requests: int
    first: int = FIRST
    every: int = EVERY

    def rounds(self) -> list[int]:
        """The requests of each round."""
        rest = self.requests - self.first
        full = [self.every] * (rest // self.every)
        return [self.first, *full, *([rest % self.every] if rest % self.every else [])]


class LongRun:
    """One run; `counted` is what came of the requests so far."""

    def __init__(self, plan: Plan, directory: Path) -> None:
        self.counted: Counter[str] = Counter()
        self._plan = plan
        self._directory = directory
        self._done = 0

    async def samples(self) -> AsyncIterator[Sample]:
        """A sample after each round."""
        async with AsyncExitStack() as stack:
            seed = self._plan.seed
            mirrors = [
                await stack.enter_async_context(mirror(seed, troubled))
                for troubled in (_TROUBLED, 0.0)
            ]
            sick = await stack.enter_async_context(mirror(seed))
            server = Entrepot(self._config(mirrors, sick), self._directory)
            await stack.enter_async_context(server)
            address = server.url.removeprefix("http://")
            await _fill_memories(address)
            loads = [
                await stack.enter_async_context(Mixed(address, seed, which))
                for which in range(_LOADS)
            ]
            for count in self._plan.rounds():
                yield await self._round(server, loads, count)

    def _config(self, mirrors: Sequence[str], sick: str) -> dict[str, object]:
        return {
            "registries": {
                REGISTRY: {"mirrors": [{"url": url} for url in mirrors], "tag_ttl": "60s"},
                SICK: {"mirrors": [{"url": sick}], "tag_ttl": "0s"},
            },
            # small enough that something has to go all the time
            "cache": {
                "path": str(self._directory / "cache"),
                "memory": "8MiB",
                "max_size": "12MiB",
                "min_free": "none",
                # its mirror does not give them again
                "keep": [f"{SICK}/*"],
            },
        }

    async def _round(self, server: Entrepot, loads: Sequence[Mixed], count: int) -> Sample:
        began = time.monotonic()
        made = await asyncio.gather(*(load.make(count // len(loads)) for load in loads))
        seconds = time.monotonic() - began
        self.counted += sum(made, Counter[str]())
        self._done += count
        return await self._settled(server, seconds)

    async def _settled(self, server: Entrepot, seconds: float) -> Sample:
        """Wait until nothing changes any more: idle connections to mirrors are closed by then."""
        async with aiohttp.ClientSession() as session:
            before: Sample | None = None
            deadline = time.monotonic() + _SETTLE_S
            while True:
                now = await self._sample(server, session, seconds)
                idle = before is not None and before.still == now.still and now.fills == 0
                if idle or time.monotonic() > deadline:
                    return now
                before = now
                await asyncio.sleep(_POLL_S)

    async def _sample(
        self, server: Entrepot, session: aiohttp.ClientSession, seconds: float
    ) -> Sample:
        gauges = await _gauges(server, session)
        names = process.open_files(server.pid)
        sockets = sum(name.startswith("socket:") for name in names)
        return Sample(
            requests=self._done,
            seconds=seconds,
            rss_bytes=process.rss_bytes(server.pid),
            files=len(names) - sockets,
            sockets=sockets,
            threads=process.threads(server.pid),
            tasks=int(gauges["entrepot_tasks"]),
            fills=int(gauges["entrepot_fills"]),
            cache_blobs=await asyncio.to_thread(_blobs, server.cache),
            passes=int(gauges["entrepot_eviction_seconds_count"]),
            cpu_s=process.cpu_s(server.pid),
        )


async def _fill_memories(address: str) -> None:
    async with KeptAlive(address) as client:
        for number in range(WIDE):
            answer = await client.ask(b"GET", f"/v2/wide/n{number}/manifests/v0?ns={REGISTRY}")
            if answer.status != 200:
                raise RuntimeError(f"a wide index was not to be had: {answer.head.decode()}")


async def _gauges(server: Entrepot, session: aiohttp.ClientSession) -> dict[str, float]:
    async with session.get(f"{server.admin_url}/metrics") as response:
        text = await response.text()
    lines = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in lines}


def _blobs(cache: Path) -> int:
    return sum(1 for _ in (cache / "blobs").glob("*/*/*"))


def table(samples: Sequence[Sample]) -> str:
    """A line for each sample."""
    head = ["requests", "requests/s", "RSS", "files", "sockets", "threads", "tasks", "blobs"]
    head.append("passes")
    made = [0, *(one.requests for one in samples)]
    lines = [
        [
            f"{one.requests:,}",
            f"{(one.requests - before) / one.seconds:,.0f}",
            f"{one.rss_bytes / 2**20:,.0f} MiB",
            *(f"{n:,}" for n in (one.files, one.sockets, one.threads, one.tasks)),
            *(f"{n:,}" for n in (one.cache_blobs, one.passes)),
        ]
        for before, one in zip(made, samples, strict=False)
    ]
    return report.aligned([head, *lines], words=0)


async def run(
    plan: Plan, say: Callable[[str], None]
) -> tuple[list[Sample], Counter[str], dict[str, machine.Fact]]:
    """All of it, in a temporary directory."""
    samples = []
    with tempfile.TemporaryDirectory(prefix="entrepot-long-") as directory:
        about = await machine.facts(Path(directory))
        long_run = LongRun(plan, Path(directory))
        async for sample in long_run.samples():
            samples.append(sample)
            say(str(sample))
    return samples, long_run.counted, about


@click.command()
@click.option("--requests", type=int, default=1_000_000, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--json", "json_file", type=click.Path(dir_okay=False, path_type=Path))
def main(*, requests: int, seed: int, json_file: Path | None) -> None:
    """Make a million requests of all kinds and tell what has grown."""
    plan = Plan(seed, requests)
    samples, counted, about = asyncio.run(run(plan, lambda text: click.echo(text, err=True)))
    click.echo(table(samples))
    click.echo(", ".join(f"{count:,} {what}" for what, count in counted.most_common()))
    if json_file is not None:
        document = {
            "machine": about,
            "samples": [asdict(one) for one in samples],
            "counted": counted,
        }
        json_file.write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main()
