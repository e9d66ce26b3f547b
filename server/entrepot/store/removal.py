"""The one transaction that takes images out of the catalog, with all that only they need.

Set by set, in SQL: an eviction pass of thousands of blobs is a dozen statements, in which the
loop's thread has no part.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from entrepot.oci.digest import Digest
from entrepot.store.database import Rows, Statement
from entrepot.store.record import Removed
from entrepot.store.rows import tag_key

_BEGIN = (
    "DELETE FROM doomed",
    "DELETE FROM named",
    "DELETE FROM held",
    "DELETE FROM gone",
)
_DOOM = "INSERT OR IGNORE INTO doomed VALUES (?)"
_NAME = "INSERT INTO named VALUES (?, ?)"
_HOLD = "INSERT OR IGNORE INTO held VALUES (?)"
# Somebody may have given one another name since it was chosen, or have come to list it.
_NAMED_SINCE = """
    DELETE FROM doomed WHERE EXISTS (
        SELECT 1 FROM named WHERE named.digest = doomed.digest
        AND named.tags < (SELECT count(*) FROM tags WHERE tags.digest = named.digest)
    )
"""
_ROOTS_ONLY = """
    DELETE FROM doomed WHERE EXISTS (
        SELECT 1 FROM links
        WHERE child = doomed.digest AND manifest NOT IN (SELECT digest FROM doomed)
    )
"""
_UNTAG = "DELETE FROM tags WHERE digest IN doomed RETURNING registry, repository, tag"
# Manifests that only doomed ones list, and that have no name of their own.
_DOOM_CHILDREN = """
    INSERT OR IGNORE INTO doomed
    SELECT manifests.digest FROM links JOIN manifests ON manifests.digest = links.child
    WHERE links.manifest IN doomed
    AND manifests.digest NOT IN (SELECT digest FROM tags)
    AND NOT EXISTS (
        SELECT 1 FROM links other
        WHERE other.child = links.child AND other.manifest NOT IN doomed
    )
"""
_GONE = """
    INSERT OR IGNORE INTO gone
    SELECT blobs.digest, blobs.size FROM blobs
    WHERE blobs.digest IN (
        SELECT digest FROM doomed UNION SELECT child FROM links WHERE manifest IN doomed
    )
    AND blobs.digest NOT IN held
    AND (blobs.digest IN doomed OR blobs.digest NOT IN (SELECT digest FROM manifests))
    AND NOT EXISTS (
        SELECT 1 FROM links other
        WHERE other.child = blobs.digest AND other.manifest NOT IN doomed
    )
"""
_UNLINK = "DELETE FROM links WHERE manifest IN doomed"
_UNLIST = "DELETE FROM manifests WHERE digest IN doomed RETURNING digest"
_FORGET = "DELETE FROM blobs WHERE digest IN (SELECT digest FROM gone) RETURNING digest, size"
_ONE_BLOB = "INSERT OR IGNORE INTO gone SELECT digest, size FROM blobs WHERE digest = ?"
_DEPTH = 3
"""An index may list indexes; nobody has seen more than two levels of them."""


def remove_images(
    roots: Iterable[Digest],
    held: Collection[Digest],
    named: Mapping[Digest, int] | None = None,
) -> list[Statement]:
    """Make the statements that remove `roots`, their tags, and what nothing else needs.

    One that has more tags by now than `named` says stays, with all of them. Blobs in `held` are
    left, whoever needs them: somebody is reading or filling them. What a manifest that stays lists
    is never taken, not even a root (P9): only its tags are.
    """
    return [
        *(Statement(sql) for sql in _BEGIN),
        Statement(_DOOM, [(str(root),) for root in roots]),
        Statement(_NAME, [(str(root), tags) for root, tags in (named or {}).items()]),
        Statement(_NAMED_SINCE),
        Statement(_HOLD, [(str(digest),) for digest in held]),
        Statement(_UNTAG, asks=True),
        Statement(_ROOTS_ONLY),
        *(Statement(_DOOM_CHILDREN) for _ in range(_DEPTH)),
        Statement(_GONE),
        Statement(_UNLINK),
        Statement(_UNLIST, asks=True),
        Statement(_FORGET, asks=True),
    ]


def remove_blobs(digests: Iterable[Digest]) -> list[Statement]:
    """Make the statements that forget blobs, and manifests that are among them, but no tags.

    For files that are gone or rotten: what names them stays and is fetched again when asked for.
    """
    rows = [(str(digest),) for digest in digests]
    return [
        *(Statement(sql) for sql in _BEGIN),
        Statement(_DOOM, rows),
        Statement(_ONE_BLOB, rows),
        Statement("SELECT '', '', '' WHERE 0", asks=True),
        Statement(_UNLIST, asks=True),
        Statement(_FORGET, asks=True),
    ]


def read_removed(answers: list[Rows]) -> Removed:
    """Read what either of the two was answered."""
    tags, manifests, blobs = answers
    return Removed(
        tags=tuple(tag_key(*row) for row in tags),
        manifests=tuple(Digest.parse(str(digest)) for (digest,) in manifests),
        blobs=tuple((Digest.parse(str(digest)), int(size)) for digest, size in blobs),
    )
