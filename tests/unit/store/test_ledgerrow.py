from __future__ import annotations

from entrepot.store.ledgerrow import COLUMNS, LedgerRow, ledger_row


def test_a_row_is_read_as_it_was_written() -> None:
    row = LedgerRow(1.5, "r", "a/b", "3.1", "m", "sha256:a", "accepted", "sha256:a", 3, "note")
    assert ledger_row(tuple(row.values)) == row
    assert len(row.values) == len(COLUMNS.split(","))
