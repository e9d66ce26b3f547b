"""The ledger at work: written in batches, the same word once a day; who is demoted by it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from entrepot.mirror.ledger import DEMOTED_S, REPEATED_S, Ledger, record_of, row_of
from entrepot.oci.digest import Digest
from entrepot.oci.reference import RepositoryName, Tag
from entrepot.store.catalog import Catalog
from entrepot.trust.ledger import LedgerRecord, Verdict
from entrepot.trust.level import Level
from mirroring import WallClock

GOOD, BAD = Digest.of(b"good"), Digest.of(b"bad")
ACCEPTED = LedgerRecord(
    at=1000.0,
    registry="registry.k8s.io",
    repository=RepositoryName("pause"),
    reference=Tag("3.1"),
    mirror="daocloud",
    received=GOOD,
    verdict=Verdict.ACCEPTED,
    digest=GOOD,
    level=Level.PIN,
)
REFUSED = replace(ACCEPTED, mirror="aliyun", received=BAD, verdict=Verdict.REFUSED, note="other")


@pytest.fixture
async def catalog(tmp_path: Path) -> AsyncIterator[Catalog]:
    catalog = Catalog(tmp_path / "catalog.db")
    await catalog.open()
    yield catalog
    await catalog.aclose()


@pytest.mark.parametrize(
    "record",
    [
        ACCEPTED,
        REFUSED,
        replace(REFUSED, digest=None, level=None),
        replace(ACCEPTED, reference=GOOD, received=None),
    ],
)
def test_a_record_is_read_as_it_was_written(record: LedgerRecord) -> None:
    assert record_of(row_of(record)) == record


def test_a_row_that_makes_no_sense_is_none() -> None:
    assert record_of(replace(row_of(ACCEPTED), verdict="liked")) is None
    assert record_of(replace(row_of(ACCEPTED), received="md5:0")) is None


async def test_what_was_noted_can_be_asked_for_at_once(catalog: Catalog) -> None:
    ledger = Ledger(catalog, WallClock(1000.0))
    ledger.note([ACCEPTED, REFUSED])
    assert await ledger.records() == (ACCEPTED, REFUSED)
    assert await ledger.records(mirror="aliyun") == (REFUSED,)
    assert await ledger.records(registry="registry.k8s.io", repository="pause", digest=BAD) == (
        REFUSED,
    )
    assert [(one.mirror, one.count) for one in await ledger.counts()] == [
        ("aliyun", 1),
        ("daocloud", 1),
    ]


async def test_the_same_word_is_written_once_a_day(catalog: Catalog) -> None:
    ledger = Ledger(catalog, WallClock(1000.0))
    again = replace(REFUSED, at=2000.0)
    next_day = replace(REFUSED, at=1000.0 + REPEATED_S)
    ledger.note([REFUSED, again, next_day])
    assert await ledger.records() == (REFUSED, next_day)


async def test_who_was_refused_is_demoted_for_an_hour_also_after_a_restart(
    catalog: Catalog,
) -> None:
    clock = WallClock(1001.0)
    ledger = Ledger(catalog, clock)
    await ledger.start()
    assert ledger.demoted("registry.k8s.io") == frozenset()
    ledger.note([ACCEPTED, REFUSED])
    assert ledger.demoted("registry.k8s.io") == {"aliyun"}
    assert ledger.demoted("docker.io") == frozenset()
    ledger.aclose()
    await catalog.write([])
    again = Ledger(catalog, clock)
    await again.start()
    assert again.demoted("registry.k8s.io") == {"aliyun"}
    clock.now += DEMOTED_S
    assert again.demoted("registry.k8s.io") == frozenset()
