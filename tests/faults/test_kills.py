"""Entrepot is killed at random moments of pulls, evictions, sweeps and scrubs; nothing is wrong.

`--kills 200` for the whole of it. Half of the time it dies just before one of its file operations,
else after some milliseconds.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from entrepot.config.settings import CacheSettings
from entrepot.metrics import Metrics
from entrepot.store.opening import opened
from entrepot.store.upkeep import open_upkeep
from fakes.images import Image, blob, image
from fakes.registry import FakeRegistry
from faults.ledger import Ledger, audited
from faults.pulling import Corrupt, Puller
from programs.entrepot import Entrepot
from unit.store.keeping import rot
from unit.web.serving import NS
from wire.client import ask

pytestmark = [pytest.mark.faults, pytest.mark.timeout(3600)]

KILLPOINT = Path(__file__).parent / "killpoint"
BASE = {"base": (0o644, blob(400_000, "shared by all"))}
IMAGES = [image(f"kills {n}", rootfs=BASE, layers=(150_000, 3_000 + n)) for n in range(6)]
ROTTING = image("kills, rotting", layers=(90_000, 2_000, 700_000))
CLIENTS = 4
LONGEST_S = 0.7
MOST_STEPS = 150


def settings(cache: Path, mirror: FakeRegistry) -> dict[str, object]:
    kept: dict[str, object] = {
        "path": str(cache),
        "scrub": {"rate": "1GiB/s", "every": "1s"},
    }
    if "max_size" in CacheSettings.model_fields:
        kept |= {"max_size": "1500KiB", "min_free": "none"}
    return {
        "cache": kept,
        "tags": {"ttl": 0, "negative_ttl": 0},
        "registries": {"registry.k8s.io": {"aliases": ["k8s.gcr.io"], "mirrors": [mirror.url]}},
    }


@dataclass(slots=True)
class Kills:
    """One server killed again and again. `rotten` are digests that were spoilt."""

    entrepot: Entrepot
    cache: Path
    point: Path
    mirror: FakeRegistry
    chance: random.Random
    rotten: set[str] = field(default_factory=set)
    moving: Image = IMAGES[0]
    counted: dict[str, int] = field(default_factory=dict)

    @property
    def address(self) -> str:
        return self.entrepot.url.removeprefix("http://")

    def count(self, what: str, number: int = 1) -> None:
        self.counted[what] = self.counted.get(what, 0) + number

    def move(self) -> None:
        self.moving = self.chance.choice(IMAGES)
        self.mirror.put_image("pause", "moving", self.moving)

    async def run_and_kill(self, at_step: int) -> None:
        """Traffic until the server dies, at a file operation of its own or some time later."""
        self.point.write_text(f"{at_step} {self.cache}") if at_step else None
        try:
            await self.entrepot.start()
        except RuntimeError:
            assert at_step, self.entrepot.log()[-3000:]
            self.count("died starting")
            return
        finally:
            self.point.unlink(missing_ok=True)
        tasks = [asyncio.ensure_future(self._pulls()) for _ in range(CLIENTS)]  # noqa: TID251
        moment = 2.0 if at_step else self.chance.random() * LONGEST_S
        ended, _ = await asyncio.wait(tasks, timeout=moment, return_when="FIRST_COMPLETED")
        self.count("died at a step" if at_step and ended else "killed")
        await self.entrepot.kill()
        await asyncio.gather(*tasks)

    async def _pulls(self) -> None:
        """One client, until the server is gone."""
        while True:
            number = self.chance.randrange(8)
            try:
                async with asyncio.timeout(20):
                    await self._pull(number)
            except (ConnectionError, EOFError):
                return
            except AssertionError:
                if await self._is_there():
                    raise
                return
            self.count("pulls")

    async def _pull(self, number: int) -> None:
        puller = Puller(self.address)
        if number == 7:
            with suppress(Corrupt):  # some of it is spoilt, as a rule
                await puller.pull("pause", "rotting", ROTTING)
        elif number == 6:
            await self._pull_moving()
        else:
            await puller.pull("pause", str(number), IMAGES[number])

    async def _pull_moving(self) -> None:
        target = f"/v2/pause/manifests/moving{NS}"
        answer = await ask(self.address, "GET", target)
        if answer.whole and answer.status == 200:
            known = {one.manifest for one in IMAGES}
            assert answer.body in known, "the tag means nothing that it ever meant"
        self.move()

    async def _is_there(self) -> bool:
        await asyncio.sleep(0.2)  # a process that is dying is not dead yet
        try:
            return (await ask(self.address, "GET", "/v2/")).status == 200
        except (ConnectionError, EOFError):
            return False

    def spoil(self) -> None:
        """Flip a bit in one file of the image that is there for that."""
        there = [
            path
            for data in (ROTTING.manifest, *ROTTING.blobs)
            if (path := self._path(hashlib.sha256(data).hexdigest())).exists()
            and f"sha256:{path.name}" not in self.rotten
        ]
        if there:
            path = self.chance.choice(there)
            rot(path, self.chance.randrange(path.stat().st_size))
            self.rotten.add(f"sha256:{path.name}")
            self.count("spoilt")

    def _path(self, name: str) -> Path:
        return self.cache / "blobs" / "sha256" / name[:2] / name

    async def swept(self) -> Ledger:
        """The stopped directory after a sweep of everything that can go."""
        async with opened(self.cache) as cache, open_upkeep(cache, Metrics().upkeep) as upkeep:
            report = await upkeep.swept(grace_s=0)
        for what, number in report.counts().items():
            if what not in {"files", "orphan_bytes"}:
                self.count(f"sweep: {what}", number)
        return await asyncio.to_thread(audited, self.cache, rotten=self.rotten)

    async def served(self, ledger: Ledger) -> None:
        """Everything that is kept is served, and is what it should be."""
        for digest in sorted(ledger.blobs - self.rotten):
            kind = "manifests" if digest in ledger.manifests else "blobs"
            answer = await ask(self.address, "GET", f"/v2/pause/{kind}/{digest}{NS}")
            assert (answer.status, answer.whole) == (200, True), digest
            assert hashlib.sha256(answer.body).hexdigest() == digest.removeprefix("sha256:")

    def forget_what_was_found(self) -> None:
        """What was spoilt and has been put away, whether it was fetched again since or not."""
        put_away = {path.name.split(".")[0] for path in (self.cache / "quarantine").rglob("*.*")}
        for digest in set(self.rotten):
            name = digest.removeprefix("sha256:")
            path = self._path(name)
            if path.exists() and hashlib.sha256(path.read_bytes()).hexdigest() != name:
                continue
            self.rotten.remove(digest)
            self.count("found rotten" if name in put_away else "evicted rotten")


async def metrics(entrepot: Entrepot) -> Mapping[str, float]:
    told = await ask(entrepot.admin_url.removeprefix("http://"), "GET", "/metrics")
    lines = [line for line in told.body.decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


async def until_looked_after(entrepot: Entrepot, *, swept: bool) -> None:
    """Every blob has been hashed since now, and the sweep is through if there is one."""
    ends, swept_at = set[float](), 0.0
    async with asyncio.timeout(60):
        while len(ends) < 3 or (swept and not swept_at):
            told = await metrics(entrepot)
            ends.add(told["entrepot_scrub_round_timestamp_seconds"])
            swept_at = told["entrepot_sweep_timestamp_seconds"]
            await asyncio.sleep(0.05)


@pytest.mark.rule("P6", "P9", "P10")
async def test_whenever_it_is_killed_nothing_is_wrong_afterwards(
    fault_seed: int, kills: int, figures: list[str], tmp_path: Path
) -> None:
    cache, point = tmp_path / "cache", tmp_path / "killpoint"
    chance = random.Random(f"kills {fault_seed}")
    paths = [str(KILLPOINT), os.environ.get("PYTHONPATH", "")]
    environment = {"PYTHONPATH": os.pathsep.join(filter(None, paths)), "KILL_POINT": str(point)}
    async with FakeRegistry(bytes_per_second=60_000_000) as mirror:
        for number, one in enumerate(IMAGES):
            mirror.put_image("pause", str(number), one)
        mirror.put_image("pause", "rotting", ROTTING)
        server = Entrepot(settings(cache, mirror), tmp_path / "entrepot", environment=environment)
        async with server as entrepot:
            run = Kills(entrepot, cache, point, mirror, chance)
            run.move()
            await entrepot.kill()
            for number in range(kills):
                step = chance.randrange(1, MOST_STEPS) if number % 2 else 0
                await run.run_and_kill(step)
                await mirror.until_idle()
                await asyncio.to_thread(run.forget_what_was_found)
                if number % 8 == 3:  # the server's own sweep, and what it serves then
                    swept = not (cache / "clean").exists()
                    await entrepot.start()
                    await until_looked_after(entrepot, swept=swept)
                    await entrepot.stop()
                    await asyncio.to_thread(run.forget_what_was_found)
                    ledger = await asyncio.to_thread(
                        audited, cache, rotten=run.rotten, orphans=True
                    )
                    await entrepot.start()
                    await run.served(ledger)
                    await entrepot.stop()
                else:
                    await run.swept()
                if number % 3 == 0:
                    await asyncio.to_thread(run.spoil)
            ledger = await run.swept()
            await entrepot.start()
            await until_looked_after(entrepot, swept=False)
            await asyncio.to_thread(run.forget_what_was_found)
            assert run.rotten == set()
            await run.served(ledger)
    told = ", ".join(f"{number} {what}" for what, number in sorted(run.counted.items()))
    figures.append(f"kills: {kills}; {told}")
