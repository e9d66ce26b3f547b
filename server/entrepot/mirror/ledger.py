"""The ledger at work: judgements written in batches, mirrors that were refused asked later."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import structlog

from entrepot.errors import RequestError, StoreError
from entrepot.mirror.wanted import Wanted
from entrepot.oci.digest import Digest
from entrepot.oci.reference import RepositoryName, Tag
from entrepot.store.catalog import Catalog
from entrepot.store.ledger import (
    VerdictCount,
    append_to_ledger,
    ledger_rows,
    verdict_counts,
)
from entrepot.store.ledgerrow import LedgerRow
from entrepot.trust.ledger import LedgerRecord, Verdict
from entrepot.trust.level import Level

DEMOTED_S = 3600.0
"""How long a mirror whose word was refused is asked after the others."""
REPEATED_S = 24 * 3600.0
"""How long the same judgement of the same word is not written again."""

_FLUSH_AFTER_S = 1.0
_MOST_PENDING = 10_000
_REMEMBERED = 20_000

_Said = tuple[str, str, str, str, str, str, str, int]

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Ledger:
    """Takes records in memory and writes them within a second; `clock` is the wall clock.

    A record that says what was said within the last day is not written again, so that the ledger
    grows with what mirrors say and not with how often they are asked. `start` before, `aclose`
    while the catalog is still open.
    """

    catalog: Catalog
    clock: Callable[[], float]
    _pending: list[LedgerRow] = field(default_factory=list)
    _written: OrderedDict[_Said, float] = field(default_factory=OrderedDict)
    _refused: dict[tuple[str, str], float] = field(default_factory=dict)
    _flush: asyncio.TimerHandle | None = None

    async def start(self) -> None:
        """Learn from what was written before whose word was refused of late."""
        try:
            counts = await verdict_counts(self.catalog, self.clock() - DEMOTED_S)
        except StoreError as error:  # then nobody is demoted, and everybody's word still checked
            log.warning("ledger.unreadable", reason=str(error))
            return
        for one in counts:
            if one.verdict == Verdict.REFUSED:
                self._refused[one.registry, one.mirror] = one.last_at

    def aclose(self) -> None:
        """Hand over what has not been written; the catalog writes it when it is closed."""
        self._write()

    def note(self, records: Iterable[LedgerRecord]) -> None:
        """Take in judgements: no await, no I/O."""
        for record in records:
            if record.verdict is Verdict.REFUSED and record.mirror:
                self._refused[record.registry, record.mirror] = record.at
            row = row_of(record)
            if self._is_new(row) and len(self._pending) < _MOST_PENDING:
                self._pending.append(row)
        if self._pending and self._flush is None:
            loop = asyncio.get_running_loop()
            self._flush = loop.call_later(_FLUSH_AFTER_S, self._write)

    def wrong_bytes(self, wanted: Wanted, mirror: str) -> None:
        """Take in that a mirror sent other bytes for a blob than its digest says."""
        note = "wrong bytes for a blob"
        self.lied(wanted.registry.name, wanted.repository, wanted.digest, mirror, note)

    def lied(
        self, registry: str, repository: RepositoryName, digest: Digest, mirror: str, note: str
    ) -> None:
        """Take in that what a mirror sent under a digest cannot be that."""
        record = LedgerRecord(
            at=self.clock(),
            registry=registry,
            repository=repository,
            reference=digest,
            mirror=mirror,
            received=None,
            verdict=Verdict.REFUSED,
            note=note,
        )
        self.note([record])

    def demoted(self, registry: str) -> frozenset[str]:
        """Name the mirrors of a registry whose word was refused within the last hour."""
        if not self._refused:
            return frozenset()
        since = self.clock() - DEMOTED_S
        return frozenset(
            mirror for (of, mirror), at in self._refused.items() if of == registry and at > since
        )

    async def records(
        self,
        *,
        registry: str | None = None,
        repository: str | None = None,
        reference: str | None = None,
        mirror: str | None = None,
        digest: Digest | None = None,
        since: float | None = None,
        limit: int = 1000,
    ) -> tuple[LedgerRecord, ...]:
        """Find the newest records for which all that is given holds, told oldest first.

        Names are canonical, `digest` is what was received or served. Raises StoreError.
        """
        await self.flush()
        rows = await ledger_rows(
            self.catalog,
            registry=registry,
            repository=repository,
            reference=reference,
            mirror=mirror,
            digest=None if digest is None else str(digest),
            since=since,
            limit=limit,
        )
        read = (record_of(row) for row in rows)
        return tuple(record for record in read if record is not None)

    async def counts(self, since: float = 0.0) -> tuple[VerdictCount, ...]:
        """Count verdicts mirror by mirror. Raises StoreError."""
        await self.flush()
        return await verdict_counts(self.catalog, since)

    async def flush(self) -> None:
        """Return when all that was noted can be read back; StoreError."""
        if self._pending:
            self._write()
        await self.catalog.write([])

    def _is_new(self, row: LedgerRow) -> bool:
        said = (
            row.registry,
            row.repository,
            row.reference,
            row.mirror,
            row.received,
            row.verdict,
            row.digest,
            row.level,
        )
        if row.at < self._written.get(said, -REPEATED_S) + REPEATED_S:
            return False
        self._written[said] = row.at
        self._written.move_to_end(said)
        if len(self._written) > _REMEMBERED:
            self._written.popitem(last=False)
        return True

    def _write(self) -> None:
        if self._flush is not None:
            self._flush.cancel()
            self._flush = None
        rows, self._pending = self._pending, []
        if rows:
            append_to_ledger(self.catalog, rows, self.clock())


def row_of(record: LedgerRecord) -> LedgerRow:
    """Write a record as the catalog keeps it."""
    return LedgerRow(
        at=record.at,
        registry=record.registry,
        repository=record.repository,
        reference=str(record.reference),
        mirror=record.mirror,
        received=str(record.received or ""),
        verdict=record.verdict.value,
        digest=str(record.digest or ""),
        level=int(record.level or 0),
        note=record.note,
    )


def record_of(row: LedgerRow) -> LedgerRecord | None:
    """Read a record; None, and a line in the log, for one that makes no sense."""
    try:
        named = row.reference
        return LedgerRecord(
            at=row.at,
            registry=row.registry,
            repository=RepositoryName(row.repository),
            reference=Digest.parse(named) if ":" in named else Tag.parse(named),
            mirror=row.mirror,
            received=Digest.parse(row.received) if row.received else None,
            verdict=Verdict(row.verdict),
            digest=Digest.parse(row.digest) if row.digest else None,
            level=Level(row.level) if row.level else None,
            note=row.note,
        )
    except (RequestError, ValueError) as error:
        log.warning("ledger.bad_row", image=f"{row.repository}:{row.reference}", error=str(error))
        return None
