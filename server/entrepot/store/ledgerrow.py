"""One line of the ledger as the catalog keeps it."""

from __future__ import annotations

from dataclasses import dataclass

from entrepot.store.database import Row, Value

COLUMNS = "at, registry, repository, reference, mirror, received, verdict, digest, level, note"
ALL_ROWS = f"SELECT {COLUMNS} FROM ledger ORDER BY id"  # noqa: S608 - nothing in it comes from anybody
APPEND = f"INSERT INTO ledger ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """Who said what about which name; `trust.ledger.LedgerRecord` says what the words mean.

    `at` is seconds of the epoch; a digest that there was none of is "", a level 0.
    """

    at: float
    registry: str
    repository: str
    reference: str
    mirror: str
    received: str
    verdict: str
    digest: str = ""
    level: int = 0
    note: str = ""

    @property
    def values(self) -> Row:
        """In the order of the columns."""
        return (
            self.at,
            self.registry,
            self.repository,
            self.reference,
            self.mirror,
            self.received,
            self.verdict,
            self.digest,
            self.level,
            self.note,
        )


def ledger_row(row: tuple[Value, ...]) -> LedgerRow:
    """Read a row of `ledger`."""
    at, registry, repository, reference, mirror, received, verdict, digest, level, note = row
    return LedgerRow(
        at=float(at),
        registry=str(registry),
        repository=str(repository),
        reference=str(reference),
        mirror=str(mirror),
        received=str(received),
        verdict=str(verdict),
        digest=str(digest),
        level=int(level),
        note=str(note),
    )
