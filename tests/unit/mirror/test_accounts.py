"""The books: nothing is counted too low, and nothing twice for long."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from entrepot.errors import StoreError
from entrepot.metrics import Metrics
from entrepot.mirror.accounts import Accounts, Demand
from entrepot.mirror.watermarks import Usage
from entrepot.oci.digest import Digest
from entrepot.store.blobs import BlobStore
from entrepot.store.catalog import Catalog
from entrepot.store.record import BlobRecord

ONE, TWO = Digest.of(b"1"), Digest.of(b"2")


@pytest.fixture
async def accounts(tmp_path: Path) -> AsyncIterator[Accounts]:
    store = BlobStore(tmp_path)
    await store.open()
    catalog = Catalog(store.layout.catalog)
    await catalog.open()
    yield Accounts(store, catalog, Metrics().cache)
    await catalog.aclose()
    await store.aclose()


async def test_a_place_is_counted_from_the_promise_on_and_once(accounts: Accounts) -> None:
    ticket = object()
    accounts.place(ticket, ONE, 40)
    assert accounts.kept == 40
    assert not accounts.fits(70, 100, 0)
    await accounts.catalog.put_blob(BlobRecord(ONE, 40, 1.0, 1.0))
    await accounts.placed(ticket, 40)
    assert accounts.kept == 40
    assert accounts.fits(60, 100, 0)


async def test_a_place_that_was_not_used_is_free_again(accounts: Accounts) -> None:
    ticket = object()
    accounts.place(ticket, ONE, 40)
    await accounts.placed(ticket, 40)
    assert accounts.kept == 0


async def test_without_a_catalog_what_was_placed_stays_counted(accounts: Accounts) -> None:
    ticket = object()
    accounts.place(ticket, ONE, 40)
    await accounts.catalog.aclose()
    await accounts.placed(ticket, 40)
    assert accounts.kept == 40
    with pytest.raises(StoreError):
        await accounts.recount()


async def test_what_is_leaving_is_here_until_its_files_are_gone(accounts: Accounts) -> None:
    with accounts.leaving(30):
        assert accounts.kept == 30
    assert accounts.kept == 0


async def test_a_download_counts_as_coming_until_it_waits_or_has_its_place(
    accounts: Accounts,
) -> None:
    accounts.flights = {ONE: lambda: (100, 30), TWO: lambda: (0, 5)}
    assert accounts.usage() == Usage(coming=100, unwritten=70)
    accounts.waiting["w"] = (ONE, 100)
    assert accounts.usage() == Usage(waiting=100)
    del accounts.waiting["w"]
    accounts.place("t", ONE, 100)
    assert accounts.usage() == Usage(kept=100)


async def test_demands_are_met_one_after_the_other(accounts: Accounts) -> None:
    accounts.demands = [Demand(30), Demand(20)]
    accounts.freed(40)
    assert [demand.left for demand in accounts.demands] == [0, 10]
    assert accounts.usage().demanded == 10


async def test_the_disk(accounts: Accounts) -> None:
    assert accounts.fits(10, None, 1 << 60)
    await accounts.measure()
    usage = accounts.usage()
    assert usage.free is not None
    assert 0 < usage.free <= usage.disk
    before = usage.free
    accounts.freed(7)
    assert accounts.usage().free == before + 7
    assert accounts.fits(10, None, 1)
    accounts.freed(-before - 7)
    assert not accounts.fits(10, None, 1)


async def test_broken_off_downloads_are_found(accounts: Accounts) -> None:
    partial = await accounts.store.begin(ONE)
    await partial.write(0, b"abc")
    await partial.aclose()
    await accounts.look_at_partials()
    assert accounts.left == {ONE: 3}
    accounts.flights[ONE] = lambda: (10, 3)
    await accounts.look_at_partials()
    assert accounts.left == {}
