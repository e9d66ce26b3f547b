"""A process that fills a cache without end, to be killed: `store_filler.py ROOT SEED KILL_AT`.

Each line it prints is a promise: what it names is done. With KILL_AT > 0 it kills itself just
before the KILL_AT-th open, rename, chmod, truncate, mkdir or unlink, so that the moments between
the steps of a commit are all hit.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import signal
import sys
from pathlib import Path

from entrepot.oci.digest import Digest
from entrepot.oci.mediatype import OCI_MANIFEST
from entrepot.oci.reference import RepositoryName, Tag
from entrepot.store.blobs import BlobStore
from entrepot.store.catalog import Catalog
from entrepot.store.durability import Durability
from entrepot.store.record import ManifestRecord, TagRecord

REGISTRY = "registry.k8s.io"
REPOSITORY = RepositoryName.parse("filler")
CONTENTS = 12
CHUNK_BYTES = 40_000

_STEPS = ("open", "os.rename", "os.chmod", "os.truncate", "os.mkdir", "os.remove", "os.rmdir")


def content(number: int) -> bytes:
    """The bytes of blob `number`; the sizes differ widely, and the first is empty."""
    return random.Random(number).randbytes(number * (1, 4_000, 50_000)[number % 3])


def small(number: int) -> bytes:
    """The bytes of manifest `number`."""
    return b'{"schemaVersion": 2, "number": %d}' % number


def promise(*words: object) -> None:
    print(*words, flush=True)


async def fill(store: BlobStore, number: int, chance: random.Random) -> None:
    data = content(number)
    partial = await store.begin(Digest.of(data))
    partial.size = len(data)
    gaps = partial.written.missing(0, len(data))
    starts = [at for a, b in gaps for at in range(a, b, CHUNK_BYTES)]
    chance.shuffle(starts)
    for group in itertools.zip_longest(*[iter(starts)] * 3):
        chunks = [(at, min(at + CHUNK_BYTES, len(data))) for at in group if at is not None]
        await asyncio.gather(*(partial.write(a, data[a:b]) for a, b in chunks))
        for a, b in chunks:
            promise("written", number, a, b)
        if chance.random() < 0.1:
            await partial.aclose()
            return
    await partial.commit()
    promise("blob", number)


async def record(store: BlobStore, catalog: Catalog, number: int) -> None:
    body = small(number)
    digest = Digest.of(body)
    await store.put(digest, body)
    manifest = ManifestRecord(digest, OCI_MANIFEST, len(body), "filler")
    tag = TagRecord(
        REGISTRY,
        REPOSITORY,
        Tag.parse(str(number)),
        digest,
        OCI_MANIFEST,
        len(body),
        1.0,
        "filler",
    )
    await catalog.record(manifest, [], tag)
    promise("tag", number)


async def main(root: Path, seed: int) -> None:
    chance = random.Random(seed)
    store, catalog = (
        BlobStore(root, durability=Durability(100_000, 0)),
        Catalog(root / "catalog.db"),
    )
    await store.open()
    await catalog.open()
    promise("ready")
    while True:
        numbers = chance.sample(range(CONTENTS), 3)
        await asyncio.gather(
            *(fill(store, number, chance) for number in numbers),
            record(store, catalog, chance.randrange(1000)),
        )


def kill_at(step: int) -> None:
    """Count the file operations below the cache; the audit event comes before each."""
    remaining = itertools.count(step - 1, -1)

    def audit(event: str, arguments: tuple[object, ...]) -> None:
        if event in _STEPS and sys.argv[1] in str(arguments[0]) and next(remaining) == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(audit)


if __name__ == "__main__":
    if int(sys.argv[3]) > 0:
        kill_at(int(sys.argv[3]))
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
