"""The ledger's table: appended to, never changed, and aged out at its old end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from entrepot.store.catalog import Catalog
from entrepot.store.database import Statement, Value
from entrepot.store.ledgerrow import APPEND, COLUMNS, LedgerRow, ledger_row

MOST_ROWS = 100_000
"""About 40 MB. Who asks 1000 images a day of mirrors that do not agree looks back some months."""
LONGEST_S = 2 * 365 * 24 * 3600.0

_TOO_MANY = "DELETE FROM ledger WHERE id <= (SELECT max(id) FROM ledger) - ?"
_TOO_OLD = "DELETE FROM ledger WHERE at < ?"
_COUNTS = """
    SELECT registry, mirror, verdict, count(*), max(at) FROM ledger
    WHERE at >= ? GROUP BY registry, mirror, verdict ORDER BY registry, mirror, verdict
"""


@dataclass(frozen=True, slots=True)
class VerdictCount:
    """How often one mirror of one registry met one verdict, and when last (s of the epoch)."""

    registry: str
    mirror: str
    verdict: str
    count: int
    last_at: float


def append_to_ledger(catalog: Catalog, rows: Sequence[LedgerRow], now: float) -> None:
    """Have rows written soon, and what is too old or too much taken out; nobody waits for it."""
    catalog.queue(
        [
            Statement(APPEND, [row.values for row in rows]),
            Statement(_TOO_MANY, [(MOST_ROWS,)]),
            Statement(_TOO_OLD, [(now - LONGEST_S,)]),
        ]
    )


async def ledger_rows(
    catalog: Catalog,
    *,
    registry: str | None = None,
    repository: str | None = None,
    reference: str | None = None,
    mirror: str | None = None,
    digest: str | None = None,
    since: float | None = None,
    limit: int = 1000,
) -> tuple[LedgerRow, ...]:
    """Find rows for which all that is given holds: the newest `limit`, told oldest first.

    `digest` is what was received or what was served.
    """
    wanted: list[tuple[str, Sequence[Value | None]]] = [
        ("registry = ?", [registry]),
        ("repository = ?", [repository]),
        ("reference = ?", [reference]),
        ("mirror = ?", [mirror]),
        ("(received = ? OR digest = ?)", [digest, digest]),
        ("at >= ?", [since]),
    ]
    given = [(sql, values) for sql, values in wanted if None not in values]
    where = " AND ".join(sql for sql, _ in given) or "1"
    row = [value for _, values in given for value in values if value is not None]
    sql = f"SELECT {COLUMNS} FROM ledger WHERE {where} ORDER BY at DESC, id DESC LIMIT ?"  # noqa: S608
    found = await catalog.survey(sql, *row, limit)
    return tuple(ledger_row(each) for each in reversed(found))


async def verdict_counts(catalog: Catalog, since: float) -> tuple[VerdictCount, ...]:
    """Count verdicts mirror by mirror since a time, in seconds of the epoch."""
    return tuple(
        VerdictCount(str(registry), str(mirror), str(verdict), int(count), float(last_at))
        for registry, mirror, verdict, count, last_at in await catalog.survey(_COUNTS, since)
    )
