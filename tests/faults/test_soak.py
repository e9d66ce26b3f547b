"""A thousand pulls by twenty clients over five mirrors that fail in every way, at random."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

import pytest

from fakes.fault import Fault, FaultKind
from fakes.images import Image, image
from fakes.recorded import Recorded
from fakes.registry import FakeRegistry
from faults.pulling import Corrupt, Failed, Puller
from programs.entrepot import Entrepot

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

PULLS, IMAGES, CLIENTS, MIRRORS = 1000, 600, 20, 5
FIRST = 100
TROUBLED = 0.35
"""How much of what a mirror is asked it answers badly, unless it is the honest one for that."""
GROWTH = 1.2
HASTE = {"headers": "10s", "overtake": "300ms", "stall": "500ms", "connect": "1s"}

_QUICK: tuple[FaultKind, ...] = (
    "refuse",
    "reset",
    "truncate",
    "flip",
    "html",
    "wrong_length",
    "ignore_range",
    "wrong_content_range",
    "gzip",
    "redirect_loop",
)
_SLOW: tuple[FaultKind, ...] = ("slow_headers", "silent", "stall", "drip")


@dataclass(slots=True)
class Mood:
    """How one mirror feels about each request, whatever order they come in.

    For every path another mirror is the honest one, so that each blob is to be had somewhere.
    """

    seed: int
    number: int
    struck: Counter[str]
    _asked: Counter[str] = field(default_factory=Counter)

    def __call__(self, record: Recorded) -> Fault | None:
        self._asked[record.path] += 1
        if random.Random(f"{self.seed} {record.path}").randrange(MIRRORS) == self.number:
            return None
        which = f"{self.seed} {self.number} {record.path} {self._asked[record.path]}"
        fault = _fault(random.Random(which))
        if fault is not None:
            self.struck[
                f"{fault.kind} {fault.status}" if fault.kind == "status" else fault.kind
            ] += 1
        return fault


def _fault(chance: random.Random) -> Fault | None:
    if chance.random() >= TROUBLED:
        return None
    after_bytes = int(2 ** chance.uniform(0, 21)) - 1
    group = chance.random()
    if group < 0.2:
        status = chance.choice([403, 404, 429, 500, 502, 503])
        headers = {"Retry-After": "1"} if status == 429 else {}
        return Fault("status", status=status, headers=headers)
    kind = chance.choice(_SLOW if group < 0.35 else _QUICK)
    return Fault(
        kind,
        after_bytes=after_bytes,
        delay=chance.uniform(0.05, 1.0) if kind == "slow_headers" else 0.0,
        bytes_per_second=chance.uniform(100_000, 1_000_000),
        by=chance.choice([-1, 1, 700]),
    )


def images(seed: int) -> list[Image]:
    """Most layers are small and most bytes in large ones, 1 KiB to 4 MiB."""
    chance = random.Random(f"images {seed}")
    sizes = [[int(2 ** chance.uniform(10, 22)) for _ in range(1 + n % 2)] for n in range(IMAGES)]
    return [image(f"soak {seed} {number}", layers=some) for number, some in enumerate(sizes)]


@dataclass
class Soak:
    """Twenty clients at one list of pulls."""

    entrepot: Entrepot
    left: list[tuple[str, Image]]
    counted: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    received_bytes: int = 0
    rss_bytes: int = 0

    async def client(self) -> None:
        puller = Puller(self.entrepot.url.removeprefix("http://"), self.counted)
        while self.left:
            name, wanted = self.left.pop()
            try:
                received = await puller.pull(name, "1", wanted)
                self.received_bytes += received
                self.counted["pulls"] += 1
            except (Corrupt, Failed, TimeoutError, ConnectionError) as error:
                self.failures.append(f"{name}: {type(error).__name__}: {error}")
            if not self.rss_bytes and PULLS - len(self.left) - CLIENTS >= FIRST:
                self.rss_bytes = self.entrepot.rss_bytes()


@pytest.mark.rule("T-2", "T-3", "T-4", "T-5", "T-9", "E-1", "E-2", "P12", "U-13")
async def test_soak(tmp_path: Path, fault_seed: int, figures: list[str]) -> None:
    struck: Counter[str] = Counter()
    chance = random.Random(f"pulls {fault_seed}")
    named = {f"soak/n{number}": one for number, one in enumerate(images(fault_seed))}
    pulls = [*named.items(), *chance.choices(list(named.items()), k=PULLS - IMAGES)]
    chance.shuffle(pulls)
    async with AsyncExitStack() as stack:
        mirrors = [await stack.enter_async_context(FakeRegistry()) for _ in range(MIRRORS)]
        for name, one in named.items():
            mirrors[0].put_image(name, "1", one)
        for number, mirror in enumerate(mirrors):
            mirror.content.repositories = mirrors[0].content.repositories
            mirror.trouble(Mood(fault_seed, number, struck))
        registry = {"aliases": ["k8s.gcr.io"], "mirrors": [{"url": one.url} for one in mirrors]}
        settings = {"registries": {"registry.k8s.io": registry}, "timeouts": HASTE}
        entrepot = await stack.enter_async_context(Entrepot(settings, tmp_path / "entrepot"))
        soak = Soak(entrepot, pulls)
        began = monotonic()
        async with asyncio.TaskGroup() as group:
            for _ in range(CLIENTS):
                group.create_task(soak.client())
        took_s, rss = monotonic() - began, entrepot.rss_bytes()
        fetched = sum(mirror.bytes_sent() for mirror in mirrors)
    figures += [
        f"soak: {soak.counted['pulls']} pulls, {soak.received_bytes >> 20} MiB, {took_s:.0f} s",
        f"soak: mirrors sent {fetched >> 20} MiB and failed {struck.total()} times",
        f"soak: clients met {dict(soak.counted)}",
        f"soak: mirrors did {dict(struck.most_common())}",
        f"soak: RSS {soak.rss_bytes >> 20} MiB after {FIRST} pulls, {rss >> 20} MiB at the end",
    ]
    assert soak.failures == []
    assert soak.counted["pulls"] == PULLS
    assert min(struck[kind] for kind in (*_QUICK, *_SLOW)) > 0, struck
    assert rss <= GROWTH * soak.rss_bytes
