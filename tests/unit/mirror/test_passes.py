"""When to evict: once at a time, not in vain all the time, and never past a stop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from entrepot.metrics import Metrics
from entrepot.mirror.accounts import Accounts
from entrepot.mirror.keeping import Keeping
from entrepot.mirror.leases import Leases
from entrepot.mirror.passes import Passes
from entrepot.mirror.watermarks import Limits
from entrepot.oci.digest import Digest
from entrepot.store.blobs import BlobStore
from entrepot.store.catalog import Catalog
from entrepot.store.record import BlobRecord

NOW = 1_800_000_000.0
SIZE = 10


def data(name: str) -> bytes:
    return name.encode().ljust(SIZE, b".")


def d(name: str) -> Digest:
    return Digest.of(data(name))


@dataclass
class Cache:
    """Ten loose blobs of ten bytes under a limit of a hundred."""

    accounts: Accounts
    leases: Leases
    passes: Passes

    async def fill(self, count: int = 10, *, used_at: float = NOW - 1000) -> None:
        for number in range(count):
            name = f"b{number}"
            await self.accounts.store.put(d(name), data(name))
            record = BlobRecord(d(name), SIZE, 1.0, used_at + number)
            await self.accounts.catalog.put_blob(record)
        await self.accounts.recount()

    async def over(self) -> None:
        while self.passes.running:
            await self.passes.changed()

    async def partial(self, name: str) -> None:
        partial = await self.accounts.store.begin(d(name))
        await partial.write(0, data(name)[:7])
        await partial.aclose()


@pytest.fixture
async def cache(tmp_path: Path) -> AsyncIterator[Cache]:
    store = BlobStore(tmp_path)
    await store.open()
    catalog = Catalog(store.layout.catalog)
    await catalog.open()
    accounts, leases = Accounts(store, catalog, Metrics().cache), Leases()
    passes = Passes(
        accounts, leases, lambda: NOW, Limits(100), Keeping(), lambda _: 1.0, lambda _: None
    )
    yield Cache(accounts, leases, passes)
    await passes.aclose()
    await catalog.aclose()
    await store.aclose()


async def test_at_the_limit_there_is_nothing_to_do(cache: Cache) -> None:
    await cache.fill()
    cache.passes.wish()
    assert not cache.passes.running


async def test_over_the_limit_it_goes_down_to_the_low_mark(cache: Cache) -> None:
    await cache.fill()
    cache.accounts.flights[d("new")] = lambda: (5, 0)
    cache.passes.wish()
    cache.passes.wish()
    assert cache.passes.running
    await cache.over()
    assert cache.accounts.kept == 80
    assert (cache.passes.evicted.images, cache.passes.evicted.bytes) == (2, 20)
    cache.passes.wish()
    assert not cache.passes.running


async def test_after_one_in_vain_there_is_a_rest(cache: Cache) -> None:
    await cache.fill()
    leases = [cache.leases.take(d(f"b{number}")) for number in range(10)]
    cache.accounts.flights[d("new")] = lambda: (5, 0)
    cache.passes.wish()
    await cache.over()
    assert cache.accounts.kept == 100
    cache.passes.wish()
    assert not cache.passes.running
    # what waits for room may have it from images used lately, which a mere wish does not touch
    cache.accounts.waiting["ticket"] = (d("new"), 5)
    assert cache.passes.need_from <= asyncio.get_running_loop().time()
    cache.passes.need()
    await cache.over()
    assert cache.passes.need_from > asyncio.get_running_loop().time()
    cache.passes.need(at_once=True)
    await cache.over()
    assert cache.passes.evicted.bytes == 0
    for lease in leases:
        lease.release()


async def test_what_was_used_a_moment_ago_goes_only_for_what_waits(cache: Cache) -> None:
    await cache.fill(used_at=NOW - 20)
    cache.accounts.flights[d("new")] = lambda: (5, 0)
    cache.passes.wish()
    await cache.over()
    assert cache.accounts.kept == 100
    cache.accounts.waiting["ticket"] = (d("new"), 5)
    cache.passes.need(at_once=True)
    await cache.over()
    assert cache.accounts.kept == 90


async def test_broken_off_downloads_go_first(cache: Cache) -> None:
    await cache.fill()
    await cache.partial("unfinished")
    await cache.partial("other")
    cache.passes.clock = lambda: NOW * 2
    cache.passes.need()
    await cache.over()
    assert cache.passes.evicted.partials == 2
    assert cache.accounts.left == {}
    assert cache.accounts.kept == 90


async def test_one_of_a_moment_ago_may_be_gone_on_with(cache: Cache) -> None:
    await cache.fill()
    await cache.partial("unfinished")
    cache.passes.clock = lambda: 0.0
    cache.accounts.flights[d("new")] = lambda: (5, 0)
    cache.passes.wish()
    await cache.over()
    assert cache.passes.evicted.partials == 0
    assert cache.accounts.left == {d("unfinished"): 7}


async def test_a_stop_waits_for_a_pass_and_lets_no_other_begin(cache: Cache) -> None:
    await cache.fill()
    cache.accounts.flights[d("new")] = lambda: (5, 0)
    cache.passes.wish()
    await cache.passes.aclose()
    assert not cache.passes.running
    cache.passes.need(at_once=True)
    assert not cache.passes.running


async def test_a_catalog_that_cannot_be_read_ends_the_pass_only(cache: Cache) -> None:
    await cache.fill()
    await cache.accounts.catalog.aclose()
    cache.passes.need(at_once=True)
    await cache.over()
    assert cache.passes.evicted.bytes == 0
