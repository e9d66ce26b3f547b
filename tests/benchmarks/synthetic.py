"""A cache directory as Entrepot would have left it, of any size: `python -m benchmarks.synthetic`.

Nothing is fetched: files and the catalog's rows are written at once, by all cores, without fsync.
Everything that is checked when a cache is served, swept or proved holds: digests, sizes, modes,
links, totals.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import sqlite3
import time
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import click

from benchmarks.families import FILES, Family, Population
from entrepot.oci.digest import Digest
from entrepot.oci.manifest import Manifest, descriptors
from entrepot.oci.reference import RepositoryName, Tag
from entrepot.store.blobs import BlobStore
from entrepot.store.catalog import Catalog
from entrepot.store.database import Row
from entrepot.store.layout import BLOB_MODE, Layout
from entrepot.store.record import BlobRecord, Child, ManifestRecord, TagRecord
from entrepot.store.rows import blob_row, link_rows, manifest_row, tag_row
from fakes.images import Image, Index

REGISTRY = "synthetic.example"
MIRROR = "mirror.synthetic.example"
_DAY_S = 86400.0
_AGE_S = 90 * _DAY_S
_FAMILIES_AT_ONCE = 64
_CACHE_KIB = 1 << 20


@dataclass(slots=True)
class Rows:
    """Rows by table of the catalog, in the order of the columns."""

    tags: list[Row] = field(default_factory=list)
    manifests: list[Row] = field(default_factory=list)
    links: list[Row] = field(default_factory=list)
    blobs: list[Row] = field(default_factory=list)


def write(directory: Path, population: Population, *, now: float) -> None:
    """Fill the empty `directory`; `now`, seconds of the epoch, is when tags were last checked.

    Uses lie up to 90 days back. Blocks, and starts a process for each core.
    """
    asyncio.run(_founded(directory))
    layout = Layout(directory)
    for prefix in range(256):
        (layout.blobs / "sha256" / f"{prefix:02x}").mkdir(0o755, parents=True, exist_ok=True)
    numbers = range(len(population))
    starts = [numbers[at : at + _FAMILIES_AT_ONCE] for at in numbers[::_FAMILIES_AT_ONCE]]
    context = multiprocessing.get_context("forkserver")
    with context.Pool() as pool, closing(sqlite3.connect(layout.catalog)) as catalog:
        _hurry(catalog)
        work = partial(_write_families, layout, population, now)
        for rows in pool.imap_unordered(work, starts):
            _insert(catalog, rows)
        _note_swept(catalog, now)
        catalog.commit()
        catalog.execute("PRAGMA journal_mode = WAL")
    os.sync()


async def _founded(directory: Path) -> None:
    """Let the store itself make what is there before the first blob."""
    store = BlobStore(directory)
    catalog = Catalog(store.layout.catalog)
    await store.open()
    try:
        await catalog.open()
    finally:
        await catalog.aclose()
        await store.aclose()


def _hurry(catalog: sqlite3.Connection) -> None:
    """Give up what a power cut would need; half a synthetic cache is made again."""
    for pragma in ("journal_mode = DELETE", "journal_mode = OFF", "synchronous = OFF"):
        catalog.execute(f"PRAGMA {pragma}")
    catalog.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")


def _note_swept(catalog: sqlite3.Connection, now: float) -> None:
    """Say that all is in the catalog, where that is said: otherwise it would be rebuilt."""
    if catalog.execute("SELECT 1 FROM sqlite_master WHERE name = 'upkeep'").fetchone():
        catalog.execute("INSERT OR REPLACE INTO upkeep VALUES ('swept', ?)", (str(now),))


def _insert(catalog: sqlite3.Connection, rows: Rows) -> None:
    for table in ("tags", "manifests", "links", "blobs"):
        found: list[Row] = sorted(getattr(rows, table))
        marks = ", ".join("?" * len(found[0]))
        catalog.executemany(f"INSERT INTO {table} VALUES ({marks})", found)


def _write_families(
    layout: Layout, population: Population, now: float, numbers: Iterable[int]
) -> Rows:
    os.umask(0)
    rows = Rows()
    for number in numbers:
        _write_family(layout, population[number], now, rows)
    return rows


def _write_family(layout: Layout, family: Family, now: float, rows: Rows) -> None:
    used_at = now - _AGE_S * family.chance("age")
    repository = RepositoryName(family.repository)
    for position, root in enumerate(family.tagged):
        tag = Tag(f"v{position}")
        record = TagRecord(
            *(REGISTRY, repository, tag, Digest.parse(str(root.digest))),
            *(root.media_type, len(root.manifest), now, MIRROR),
        )
        rows.tags.append(tag_row(record))
    for manifest in family.manifests():
        _write_manifest(layout, manifest, family.repository, used_at, rows)
    for digest, data in family.blobs().items():
        _write_blob(layout, Digest.parse(digest), data, used_at, rows)


def _write_manifest(
    layout: Layout, manifest: Image | Index, repository: str, used_at: float, rows: Rows
) -> None:
    body, digest = manifest.manifest, manifest.digest
    record = ManifestRecord(
        digest, manifest.media_type, len(body), MIRROR, REGISTRY, repository, used_at
    )
    children: Sequence[Child] = [
        Child(each.digest, each.media_type, each.size, str(each.platform or ""))
        for each in descriptors(Manifest(digest, manifest.media_type, body))
    ]
    rows.manifests.append(manifest_row(record))
    rows.links += link_rows(digest, children)
    _write_blob(layout, digest, body, used_at, rows)


def _write_blob(layout: Layout, digest: Digest, data: bytes, used_at: float, rows: Rows) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    descriptor = os.open(layout.blob(digest), flags, BLOB_MODE)
    try:
        os.write(descriptor, data)
    finally:
        os.close(descriptor)
    seconds = 0.05 + len(data) / 1000
    rows.blobs.append(
        blob_row(BlobRecord(digest, len(data), used_at, used_at, REGISTRY, MIRROR, seconds))
    )


@click.command()
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
@click.option("--blobs", type=click.IntRange(min=FILES), default=10_000, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True)
def main(directory: Path, blobs: int, seed: int) -> None:
    """Make a synthetic cache in DIRECTORY, which must be empty or missing."""
    if directory.exists() and any(directory.iterdir()):
        raise click.ClickException(f"{directory} is not empty")
    began = time.monotonic()
    write(directory, Population(seed, blobs), now=time.time())
    click.echo(f"{blobs:,} blobs in {time.monotonic() - began:.0f} s", err=True)


if __name__ == "__main__":
    main()
