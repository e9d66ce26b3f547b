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
    # Every file below blobs/ has a row in `blobs`, manifests too. `totals` is kept by triggers:
    # adding up a million rows at each start would take as long as the start may.
    """
    ALTER TABLE manifests ADD COLUMN registry TEXT NOT NULL DEFAULT '';
    ALTER TABLE manifests ADD COLUMN repository TEXT NOT NULL DEFAULT '';
    ALTER TABLE manifests ADD COLUMN used_at REAL NOT NULL DEFAULT 0;
    ALTER TABLE links ADD COLUMN platform TEXT NOT NULL DEFAULT '';
    CREATE INDEX manifests_by_use ON manifests (used_at);
    CREATE INDEX tags_by_digest ON tags (digest);
    CREATE TABLE blobs (
        digest TEXT NOT NULL PRIMARY KEY,
        size INTEGER NOT NULL,
        added_at REAL NOT NULL,
        used_at REAL NOT NULL,
        registry TEXT NOT NULL,
        mirror TEXT NOT NULL,
        seconds REAL NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE keeps (
        pattern TEXT NOT NULL PRIMARY KEY,
        added_at REAL NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE totals (
        id INTEGER NOT NULL PRIMARY KEY CHECK (id = 0),
        blobs INTEGER NOT NULL,
        bytes INTEGER NOT NULL
    );
    INSERT INTO totals VALUES (0, 0, 0);
    CREATE TRIGGER blob_added AFTER INSERT ON blobs BEGIN
        UPDATE totals SET blobs = blobs + 1, bytes = bytes + new.size;
    END;
    CREATE TRIGGER blob_removed AFTER DELETE ON blobs BEGIN
        UPDATE totals SET blobs = blobs - 1, bytes = bytes - old.size;
    END;
    CREATE TRIGGER blob_resized AFTER UPDATE OF size ON blobs BEGIN
        UPDATE totals SET bytes = bytes + new.size - old.size;
    END;
    """,
    """
    CREATE TABLE upkeep (
        name TEXT NOT NULL PRIMARY KEY,
        value TEXT NOT NULL
    ) WITHOUT ROWID;
    """,
    # Tags of before were the first answer, vouched for by nobody: level 1.
    """
    ALTER TABLE tags ADD COLUMN level INTEGER NOT NULL DEFAULT 1;
    CREATE TABLE ledger (
        id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
        at REAL NOT NULL,
        registry TEXT NOT NULL,
        repository TEXT NOT NULL,
        reference TEXT NOT NULL,
        mirror TEXT NOT NULL,
        received TEXT NOT NULL,
        verdict TEXT NOT NULL,
        digest TEXT NOT NULL,
        level INTEGER NOT NULL,
        note TEXT NOT NULL
    );
    CREATE INDEX ledger_by_name ON ledger (registry, repository, reference, at);
    CREATE INDEX ledger_by_mirror ON ledger (mirror, at);
    CREATE INDEX ledger_by_time ON ledger (at);
    """,
    """
    CREATE TABLE referrers (
        registry TEXT NOT NULL,
        repository TEXT NOT NULL,
        digest TEXT NOT NULL,
        body TEXT NOT NULL,
        seen_at REAL NOT NULL,
        PRIMARY KEY (registry, repository, digest)
    ) WITHOUT ROWID;
    CREATE INDEX referrers_by_age ON referrers (seen_at);
    """,
)
"""Step n brings a file of version n to version n + 1; a published step never changes."""

TEMPORARY = """
    CREATE TEMP TABLE doomed (digest TEXT NOT NULL PRIMARY KEY) WITHOUT ROWID;
    CREATE TEMP TABLE named (digest TEXT NOT NULL PRIMARY KEY, tags INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TEMP TABLE held (digest TEXT NOT NULL PRIMARY KEY) WITHOUT ROWID;
    CREATE TEMP TABLE gone (digest TEXT NOT NULL PRIMARY KEY, size INTEGER NOT NULL) WITHOUT ROWID;
"""
"""Where the connection that writes works out what goes together; see `removal`."""


async def migrate(
    connection: aiosqlite.Connection, migrations: tuple[str, ...] = MIGRATIONS
) -> int:
    """Bring the file up to date, each step whole or not at all; which version it was, 0 if new.

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
    return int(version)
