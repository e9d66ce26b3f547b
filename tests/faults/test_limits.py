"""Ten times as much is pulled as the cache may hold: nothing fails, nothing is too much.

`--limit-mb` is the size of the limit, 100 when unsaid; ten times as much is pulled, in layers that
are larger when the limit is.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import random
import sqlite3
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

import pytest

from fakes.images import Image, blob, image
from fakes.registry import FakeRegistry
from faults.pulling import Corrupt, Failed, Puller
from programs.entrepot import Entrepot
from wire.client import ask

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1800)]

MB = 1_000_000
CLIENTS, BASES, TIMES = 12, 4, 10
KILLS = 6
PULLED = 250
"""Each image has two layers of its own and one that a quarter of all images share."""
_EVERY_S = 0.05
_SETTLES_S = 1.0


@dataclass
class Crowd:
    """Clients at one list of pulls, and what they have in hand."""

    address: str
    left: list[tuple[str, str, Image]]
    counted: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    received: int = 0
    in_hand: Counter[str] = field(default_factory=Counter)

    async def client(self) -> None:
        puller = Puller(self.address, self.counted)
        while self.left:
            name, tag, wanted = self.left.pop()
            self.in_hand.update(self._digests(wanted))
            try:
                received = await puller.pull(name, tag, wanted)
                self.received += received
                self.counted["pulls"] += 1
            except (Corrupt, Failed, TimeoutError, ConnectionError) as error:
                self.failures.append(f"{name}:{tag}: {type(error).__name__}: {error}")
            # The last blob is on its way from partial/ to blobs/ for a moment yet.
            loop = asyncio.get_running_loop()
            loop.call_later(_SETTLES_S, self.in_hand.subtract, self._digests(wanted))

    def in_flight(self) -> int:
        """Bytes of all blobs that somebody is pulling the image of, each counted once."""
        return sum(SIZES[digest] for digest, count in self.in_hand.items() if count > 0)

    @staticmethod
    def _digests(wanted: Image) -> list[str]:
        return [NAMES[id(data)] for data in wanted.blobs]


SIZES: dict[str, int] = {}
NAMES: dict[int, str] = {}


def images(count: int, size: int) -> list[Image]:
    """Images of about `size` bytes each."""
    bases = [blob(size // 2, f"base {number}") for number in range(BASES)]
    made = []
    for number in range(count):
        layers = [size // 3 + number % 7 * 1000, size // 6]
        plain = image(f"limits {number}", layers=layers)
        made.append(with_base(plain, bases[number % BASES]))
    return made


def with_base(plain: Image, base: bytes) -> Image:
    """The same image with one more layer, which others have too."""
    manifest = json.loads(plain.manifest)
    named = dict(manifest["layers"][0])
    named |= {"digest": f"sha256:{hashlib.sha256(base).hexdigest()}", "size": len(base)}
    manifest["layers"].insert(0, named)
    whole = Image(
        plain.media_type,
        json.dumps(manifest).encode(),
        plain.config,
        (base, *plain.layers),
        plain.platform,
    )
    for data in whole.blobs:
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        NAMES[id(data)] = digest
        SIZES[digest] = len(data)
    return whole


def files(directory: Path) -> Iterator[os.stat_result]:
    """Every file below, as far as it is still there."""
    stack = [str(directory)]
    while stack:
        try:
            with os.scandir(stack.pop()) as entries:
                for entry in entries:
                    try:
                        if entry.is_dir(follow_symlinks=False):
                            stack.append(entry.path)
                        else:
                            yield entry.stat(follow_symlinks=False)
                    except FileNotFoundError:
                        continue
        except FileNotFoundError:
            continue


def sizes(cache: Path) -> tuple[int, int]:
    """Bytes below blobs/ (what the files hold) and below partial/ (what the disk gives them).

    A walk takes its time. What two of them find was there all the while between.
    """
    before = {status.st_ino for status in files(cache / "blobs")}
    partial = sum(status.st_blocks * 512 for status in files(cache / "partial"))
    kept = sum(status.st_size for status in files(cache / "blobs") if status.st_ino in before)
    return kept, partial


@dataclass
class Sampled:
    """The most that was ever seen, and by how much it was too much."""

    limit: int
    crowd: Crowd
    cache: Path
    kept: int = 0
    partial: int = 0
    over: int = 0
    samples: int = 0

    async def watch(self) -> None:
        while True:
            before = self.crowd.in_flight()
            kept, partial = await asyncio.to_thread(sizes, self.cache)
            flight = max(before, self.crowd.in_flight())
            self.samples += 1
            self.kept, self.partial = max(self.kept, kept), max(self.partial, partial)
            self.over = max(self.over, kept - self.limit, kept + partial - self.limit - flight)
            await asyncio.sleep(_EVERY_S)


@dataclass(frozen=True)
class Inventory:
    """What the catalog and the disk have, when the server has stopped."""

    tagged: int
    incomplete: dict[str, set[str]]
    rows_without_file: list[str]
    files_without_row: list[str]
    wrong: list[str]


def inventory(cache: Path) -> Inventory:
    with sqlite3.connect(cache / "catalog.db") as catalog:
        tags = catalog.execute("SELECT repository, tag, digest FROM tags").fetchall()
        rows = {str(digest) for (digest,) in catalog.execute("SELECT digest FROM blobs")}
        manifests = {str(digest) for (digest,) in catalog.execute("SELECT digest FROM manifests")}
        links = catalog.execute("SELECT manifest, child FROM links").fetchall()
    catalog.close()
    found = {f"sha256:{path.name}": path for path in (cache / "blobs").glob("sha256/*/*")}
    wrong = [
        digest
        for digest, path in found.items()
        if hashlib.sha256(path.read_bytes()).hexdigest() != path.name
    ]
    needs: dict[str, list[str]] = {}
    for manifest, child in links:
        needs.setdefault(manifest, []).append(child)
    missing = {
        f"{repository}:{tag}": {digest, *needs.get(digest, ())} - found.keys()
        for repository, tag, digest in tags
    }
    assert {digest for _, _, digest in tags} <= manifests
    return Inventory(
        tagged=len(tags),
        incomplete={image: digests for image, digests in missing.items() if digests},
        rows_without_file=sorted(rows - found.keys()),
        files_without_row=sorted(found.keys() - rows),
        wrong=wrong,
    )


async def nothing_in_flight(entrepot: Entrepot) -> None:
    """Wait for the downloads that somebody who left began: a stop would cut them off."""
    async with asyncio.timeout(30):
        while "entrepot_fills 0.0" not in (await metrics(entrepot)).splitlines():
            await asyncio.sleep(_EVERY_S)


async def metrics(entrepot: Entrepot) -> str:
    answer = await ask(entrepot.admin_url.removeprefix("http://"), "GET", "/metrics")
    return answer.body.decode()


def limit_bytes(config: pytest.Config) -> int:
    return int(config.getoption("--limit-mb", 100)) * MB


def told(sampled: Sampled, found: Inventory, log: str) -> list[str]:
    crowd = sampled.crowd
    return [
        (
            f"limits: {crowd.counted['pulls']} pulls of {crowd.received // MB} MB under"
            f" {sampled.limit // MB} MB by {CLIENTS} clients, who met {dict(crowd.counted)}"
        ),
        (
            f"limits: at most {sampled.kept / MB:.1f} MB kept,"
            f" {sampled.partial / MB:.1f} MB partial, in {sampled.samples} samples"
        ),
        (
            f"limits: {log.count('eviction.began')} passes, {log.count('blob.not_kept')} blobs not"
            f" kept, {found.tagged} tags left, {len(found.incomplete)} of them incomplete"
        ),
    ]


@pytest.mark.rule("P9", "P10")
async def test_ten_times_as_much_as_the_limit(
    tmp_path: Path, fault_seed: int, figures: list[str], request: pytest.FixtureRequest
) -> None:
    limit = limit_bytes(request.config)
    chance = random.Random(f"limits {fault_seed}")
    made = images(PULLED * 3 // 4, limit * TIMES // PULLED)  # and a third of them once more
    named = [(f"limits/n{number % 10}", f"v{number}", one) for number, one in enumerate(made)]
    again = chance.choices(named, k=len(named) // 3)
    pulls = [*named, *again]
    chance.shuffle(pulls)
    async with FakeRegistry() as mirror:
        for name, tag, one in named:
            mirror.put_image(name, tag, one)
        registry = {"aliases": ["k8s.gcr.io"], "mirrors": [{"url": mirror.url}]}
        settings = {
            "registries": {"registry.k8s.io": registry},
            "cache": {"path": str(tmp_path / "entrepot" / "cache"), "max_size": limit},
            "tags": {"ttl": "1h"},
        }
        async with Entrepot(settings, tmp_path / "entrepot") as entrepot:
            crowd = Crowd(entrepot.url.removeprefix("http://"), pulls)
            sampled = Sampled(limit, crowd, entrepot.cache)
            watching = asyncio.ensure_future(sampled.watch())  # noqa: TID251 - cancelled below
            began = monotonic()
            async with asyncio.TaskGroup() as group:
                for _ in range(CLIENTS):
                    group.create_task(crowd.client())
            took_s = monotonic() - began
            await nothing_in_flight(entrepot)
            watching.cancel()
            rss = entrepot.rss_bytes(peak=True)
            log = entrepot.log()
        found = await asyncio.to_thread(inventory, entrepot.cache)
    figures += told(sampled, found, log)
    figures.append(f"limits: {took_s:.0f} s, RSS {rss >> 20} MiB at most")
    assert crowd.failures == []
    assert crowd.received > 0.95 * TIMES * limit
    assert sampled.over <= 0
    assert found.wrong == []
    assert found.rows_without_file == []
    assert found.files_without_row == []
    # Complete it was only if all of it had been kept.
    not_kept = {
        line.partition("digest=")[2].split()[0]
        for line in log.splitlines()
        if "blob.not_kept" in line
    }
    assert set().union(*found.incomplete.values()) <= not_kept
    assert "eviction.failed" not in log
    assert " ERROR " not in log.upper().replace("ERROR=", "")


@pytest.mark.rule("P9", "P10")
async def test_killed_while_it_evicts(
    tmp_path: Path, fault_seed: int, figures: list[str], request: pytest.FixtureRequest
) -> None:
    """What a kill leaves may be a file that no row knows, but no row whose file is gone."""
    limit = 20 * MB
    chance = random.Random(f"killed {fault_seed}")
    named = [(f"limits/k{number}", "v1", one) for number, one in enumerate(images(40, 4 * MB))]
    orphans, evicted = 0, 0
    async with FakeRegistry() as mirror:
        for name, tag, one in named:
            mirror.put_image(name, tag, one)
        settings = {
            "registries": {"registry.k8s.io": {"aliases": ["k8s.gcr.io"], "mirrors": [mirror.url]}},
            "cache": {"path": str(tmp_path / "entrepot" / "cache"), "max_size": limit},
        }
        async with Entrepot(settings, tmp_path / "entrepot") as entrepot:
            for _ in range(KILLS):
                crowd = Crowd(entrepot.url.removeprefix("http://"), chance.choices(named, k=10_000))
                async with asyncio.TaskGroup() as group:
                    clients = [group.create_task(crowd.client()) for _ in range(4)]
                    before = entrepot.log().count("eviction.began")
                    while entrepot.log().count("eviction.began") < before + 3:
                        await asyncio.sleep(_EVERY_S)
                    await asyncio.sleep(chance.uniform(0, 0.1))
                    await entrepot.kill()
                    for client in clients:
                        client.cancel()
                found = await asyncio.to_thread(inventory, entrepot.cache)
                assert found.rows_without_file == []
                assert found.wrong == []
                orphans += len(found.files_without_row)
                await entrepot.start()
            evicted = entrepot.log().count("eviction.done")
    figures.append(f"limits: {KILLS} kills in {evicted} passes left {orphans} files without a row")
