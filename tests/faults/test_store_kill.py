"""A process that writes to the cache is killed at any moment; what it promised is there."""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
import signal
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from entrepot.oci.digest import Digest
from entrepot.oci.reference import Tag
from entrepot.store.blobs import BlobStore
from entrepot.store.catalog import Catalog
from entrepot.store.rangeset import EMPTY, RangeSet
from faults.store_filler import CONTENTS, REGISTRY, REPOSITORY, content, small

pytestmark = pytest.mark.faults

PROGRAM = Path(__file__).with_name("store_filler.py")
KILLS = 5
BLOBS = {Digest.of(content(number)): content(number) for number in range(CONTENTS)}


@dataclass
class Promised:
    """What the process said is done."""

    blobs: set[Digest] = field(default_factory=set)
    tags: set[int] = field(default_factory=set)
    written: dict[Digest, RangeSet] = field(default_factory=dict)

    def note(self, line: str) -> None:
        match line.split():
            case ["blob", number]:
                digest = Digest.of(content(int(number)))
                self.blobs.add(digest)
                self.written.pop(digest, None)
            case ["tag", number]:
                self.tags.add(int(number))
            case ["written", number, start, stop]:
                digest = Digest.of(content(int(number)))
                known = self.written.get(digest, EMPTY)
                self.written[digest] = known.add(int(start), int(stop))
            case words:
                assert words == ["ready"]


async def run_and_kill(root: Path, seed: int, promised: Promised) -> None:
    """Even seeds die at a file operation of their own, odd ones after so many promises."""
    chance = random.Random(seed)
    step = chance.randrange(1, 120) if seed % 2 == 0 else 0
    lines = chance.randrange(1, 60)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(PROGRAM),
        str(root),
        str(seed),
        str(step),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.stdout is not None
    try:
        while line := await process.stdout.readline():
            if line.endswith(b"\n"):
                promised.note(line.decode())
            lines -= 1
            if lines == 0 and step == 0:
                process.kill()
    except BaseException:
        process.kill()
        raise
    assert await process.wait() == -signal.SIGKILL


def check_blobs(root: Path) -> set[Digest]:
    """Every file under blobs/ is what its name says, and read-only."""
    found = set()
    for path in (root / "blobs").rglob("*"):
        if path.is_file():
            assert hashlib.sha256(path.read_bytes()).hexdigest() == path.name
            assert path.stat().st_mode & 0o777 == 0o444
            found.add(Digest("sha256", path.name))
    return found


async def check_partials(
    store: BlobStore, blobs: set[Digest], promised: Promised, seed: int
) -> None:
    """Each goes on with right bytes and all that was promised; some are finished, some are left."""
    for info in await store.partials():
        truth = BLOBS[info.digest]
        partial = await store.begin(info.digest)
        with await partial.open_reader() as reader:
            for start, stop in partial.written:
                assert os.pread(reader.fileno(), stop - start, start) == truth[start:stop]
        assert partial.front == partial.written.contiguous_end(0)
        for start, stop in promised.written.get(info.digest, EMPTY):
            assert partial.written.covers(start, stop) or info.digest in blobs
        if (seed + info.written) % 2:
            await partial.aclose()
            continue
        partial.size = len(truth)
        for start, stop in partial.written.missing(0, len(truth)):
            await partial.write(start, truth[start:stop])
        await partial.commit()
        promised.blobs.add(info.digest)


async def check(root: Path, promised: Promised, seed: int) -> None:
    blobs = check_blobs(root)
    assert promised.blobs <= blobs
    store, catalog = BlobStore(root), Catalog(root / "catalog.db")
    try:
        await store.open()
        await catalog.open()
        assert list((root / "partial" / "new").iterdir()) == []
        held = {info.digest for info in await store.partials()}
        assert set(promised.written) - blobs <= held
        await check_partials(store, blobs, promised, seed)
        await check_catalog(store, catalog, promised)
    finally:
        await catalog.aclose()
        await store.aclose()
    check_blobs(root)


async def check_catalog(store: BlobStore, catalog: Catalog, promised: Promised) -> None:
    """No tag that was promised is missing, and none is there without its bytes."""
    known = await catalog.tags(REGISTRY, REPOSITORY)
    assert {Tag.parse(str(number)) for number in promised.tags} <= {tag.tag for tag in known}
    for tag in known:
        assert await store.read(tag.digest, 1 << 20) == small(int(tag.tag))
        assert await catalog.is_manifest(tag.digest)


@pytest.mark.rule("P6")
@pytest.mark.parametrize("group", range(10))
async def test_nothing_promised_is_lost_and_nothing_wrong_is_kept(
    tmp_path: Path, group: int
) -> None:
    promised = Promised()
    for kill in range(KILLS):
        seed = group * KILLS + kill
        await run_and_kill(tmp_path, seed, promised)
        await check(tmp_path, promised, seed)
    assert promised.blobs or promised.written or promised.tags
