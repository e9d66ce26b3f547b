"""Is a cache directory in order? Looked at with nothing of Entrepot's: sqlite3, hashlib, names."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Collection
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_NOTHING = {
    "tags that lead to nothing": """
        SELECT repository, tag FROM tags WHERE digest NOT IN (SELECT digest FROM manifests)
    """,
    "links of manifests that are not there": """
        SELECT manifest FROM links WHERE manifest NOT IN (SELECT digest FROM manifests)
    """,
    "manifests without a file": """
        SELECT digest FROM manifests WHERE digest NOT IN (SELECT digest FROM blobs)
    """,
}
_ORPHANS = """
    SELECT digest FROM blobs WHERE digest NOT IN (SELECT digest FROM manifests)
    AND digest NOT IN (SELECT child FROM links)
"""


@dataclass(frozen=True, slots=True)
class Ledger:
    """What a cache holds, by digest; of tags the names."""

    blobs: frozenset[str]
    manifests: frozenset[str]
    links: frozenset[tuple[str, str]]
    tags: frozenset[str]


def audited(cache: Path, *, rotten: Collection[str] = (), orphans: bool = False) -> Ledger:
    """What is in `cache`, which nobody is using; AssertionError unless all of it is in order.

    `rotten` were spoilt on purpose and may still be where they were. `orphans` are allowed or not.
    """
    files = {f"sha256:{path.name}": path for path in (cache / "blobs").rglob("*/*/*")}
    for digest, path in files.items():
        found = f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
        assert found == digest or digest in rotten, f"{path} is {found}"
    assert list((cache / "partial" / "new").iterdir()) == []
    with closing(sqlite3.connect(f"file:{cache / 'catalog.db'}?mode=ro", uri=True)) as catalog:

        def ask(sql: str) -> list[tuple[Any, ...]]:
            return catalog.execute(sql).fetchall()

        assert ask("PRAGMA integrity_check") == [("ok",)]
        rows = dict(ask("SELECT digest, size FROM blobs"))
        sizes = {digest: path.stat().st_size for digest, path in files.items()}
        assert rows == sizes, (set(rows) ^ set(sizes), "rows and files")
        assert ask("SELECT blobs, bytes FROM totals") == [(len(sizes), sum(sizes.values()))]
        for what, sql in _NOTHING.items():
            assert ask(sql) == [], what
        if not orphans:
            assert ask(_ORPHANS) == [], "blobs that nothing lists"
        return Ledger(
            blobs=frozenset(rows),
            manifests=frozenset(digest for (digest,) in ask("SELECT digest FROM manifests")),
            links=frozenset(ask("SELECT manifest, child FROM links")),
            tags=frozenset(tag for (tag,) in ask("SELECT tag FROM tags")),
        )
