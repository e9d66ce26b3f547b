"""The table of the ledger: found by every key, and aged out at its old end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from entrepot.store import ledger
from entrepot.store.catalog import Catalog
from entrepot.store.ledger import append_to_ledger, ledger_rows, verdict_counts
from entrepot.store.ledgerrow import LedgerRow

ROW = LedgerRow(
    at=100.0,
    registry="registry.k8s.io",
    repository="pause",
    reference="3.1",
    mirror="aliyun",
    received="sha256:a",
    verdict="refused",
    digest="sha256:b",
    level=4,
    note="re-compressed",
)
OTHER = replace(ROW, at=200.0, mirror="daocloud", received="sha256:b", verdict="accepted", note="")
THIRD = replace(ROW, at=300.0, registry="docker.io", repository="library/nginx", reference="1.25")


@pytest.fixture
async def catalog(tmp_path: Path) -> AsyncIterator[Catalog]:
    catalog = Catalog(tmp_path / "catalog.db")
    await catalog.open()
    yield catalog
    await catalog.aclose()


async def put(catalog: Catalog, *rows: LedgerRow, now: float = 300.0) -> None:
    append_to_ledger(catalog, rows, now)
    await catalog.write([])


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, (ROW, OTHER, THIRD)),
        ({"registry": "registry.k8s.io"}, (ROW, OTHER)),
        ({"registry": "registry.k8s.io", "repository": "pause", "reference": "3.1"}, (ROW, OTHER)),
        ({"mirror": "aliyun"}, (ROW, THIRD)),
        ({"mirror": "aliyun", "since": 150.0}, (THIRD,)),
        ({"digest": "sha256:a"}, (ROW, THIRD)),
        ({"limit": 2}, (OTHER, THIRD)),
        ({"mirror": "nobody"}, ()),
    ],
    ids=str,
)
async def test_rows_are_found_by_what_is_given(
    catalog: Catalog, asked: dict[str, str | float], found: tuple[LedgerRow, ...]
) -> None:
    await put(catalog, ROW, OTHER, THIRD)
    assert await ledger_rows(catalog, **asked) == found  # type: ignore[arg-type]


async def test_verdicts_are_counted_mirror_by_mirror(catalog: Catalog) -> None:
    await put(catalog, ROW, replace(ROW, at=110.0), OTHER)
    told = [
        (one.mirror, one.verdict, one.count, one.last_at)
        for one in await verdict_counts(catalog, 0)
    ]
    assert told == [("aliyun", "refused", 2, 110.0), ("daocloud", "accepted", 1, 200.0)]
    assert [one.mirror for one in await verdict_counts(catalog, 150.0)] == ["daocloud"]


async def test_the_oldest_go_when_there_are_too_many(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "MOST_ROWS", 2)
    await put(catalog, ROW)
    await put(catalog, OTHER, THIRD)
    assert await ledger_rows(catalog) == (OTHER, THIRD)


async def test_what_is_too_old_goes(catalog: Catalog) -> None:
    await put(catalog, ROW)
    await put(catalog, OTHER, now=150.0 + ledger.LONGEST_S)
    assert await ledger_rows(catalog) == (OTHER,)
