"""The tables of the catalog, and the steps that bring an older file up to date."""

from __future__ import annotations

import aiosqlite

from entrepot.errors import StoreTooNew

MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE tags (
        registry TEXT NOT NULL,
        repository TEXT NOT NULL,
        tag TEXT NOT NULL,
        digest TEXT NOT NULL,
        media_type TEXT NOT NULL,
        size INTEGER NOT NULL,
        checked_at REAL NOT NULL,
        mirror TEXT NOT NULL,
        PRIMARY KEY (registry, repository, tag)
    ) WITHOUT ROWID;
    CREATE TABLE manifests (
        digest TEXT NOT NULL PRIMARY KEY,
        media_type TEXT NOT NULL,
        size INTEGER NOT NULL,
        mirror TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE links (
        manifest TEXT NOT NULL,
        child TEXT NOT NULL,
        media_type TEXT NOT NULL,
        size INTEGER NOT NULL,
        PRIMARY KEY (manifest, child)
    ) WITHOUT ROWID;
    CREATE INDEX links_by_child ON links (child, size);
    """,
)
"""Step n brings a file of version n to version n + 1; a published step never changes."""


async def migrate(
    connection: aiosqlite.Connection, migrations: tuple[str, ...] = MIGRATIONS
) -> None:
    """Bring the file up to date, each step whole or not at all.

    StoreTooNew when it is ahead of us; sqlite3.Error is the caller's to translate.
    """
    [(version,)] = await connection.execute_fetchall("PRAGMA user_version")
    if version > len(migrations):
        raise StoreTooNew(
            f"the catalog has version {version}, this program knows up to {len(migrations)}:"
            " it was written by a later Entrepot"
        )
    for number, step in enumerate(migrations[version:], version + 1):
        await connection.executescript(
            f"BEGIN IMMEDIATE; {step} PRAGMA user_version = {number}; COMMIT;"
        )
