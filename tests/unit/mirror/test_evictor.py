"""One pass: what goes, in which order, and what is left alone."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from entrepot.metrics import Metrics
from entrepot.mirror.accounts import Accounts
from entrepot.mirror.evictor import WARM_S, Evicted, Evictor
from entrepot.mirror.keeping import Keeping
from entrepot.mirror.leases import Lease, Leases
from entrepot.oci.digest import Digest
from entrepot.oci.mediatype import OCI_MANIFEST
from entrepot.oci.pattern import ImagePattern
from entrepot.oci.reference import RepositoryName, Tag
from entrepot.store.blobs import BlobStore
from entrepot.store.candidates import PAGE_ROOTS, Part, Root
from entrepot.store.catalog import Catalog
from entrepot.store.record import BlobRecord, Child, ManifestRecord, TagRecord

NOW = 1_800_000_000.0
DAY_S = 86400.0
SIZE = 100


def data(name: str) -> bytes:
    return name.encode().ljust(SIZE, b".")


def d(name: str) -> Digest:
    return Digest.of(data(name))


@dataclass
class Cache:
    """A store and its catalog; blobs and manifests of 100 bytes each."""

    store: BlobStore
    catalog: Catalog
    leases: Leases = field(default_factory=Leases)
    keep: list[str] = field(default_factory=list)
    forgotten: list[Digest] = field(default_factory=list)
    total: Evicted = field(default_factory=Evicted)
    costs: Callable[[Iterable[Part]], float] = lambda _: 1.0

    def __post_init__(self) -> None:
        self.accounts = Accounts(self.store, self.catalog, Metrics().cache)

    async def put(self, name: str, used_at: float, *layers: str) -> None:
        record = ManifestRecord(d(name), OCI_MANIFEST, SIZE, "m", "r", "images", used_at)
        tag = TagRecord(
            "r", RepositoryName("images"), Tag(name), d(name), OCI_MANIFEST, SIZE, 1, "m"
        )
        await self.store.put(d(name), data(name))
        await self.catalog.record(record, [Child(d(each), "l", SIZE) for each in layers], tag)
        for layer in layers:
            await self.put_blob(layer, used_at)

    async def put_blob(self, name: str, used_at: float) -> None:
        await self.store.put(d(name), data(name))
        await self.catalog.put_blob(BlobRecord(d(name), SIZE, 1.0, used_at, "r", "m"))

    async def evict(self, wanted: int, *, warm: bool = False, loose: Iterable[str] = ()) -> Evicted:
        def told(evicted: Evicted) -> None:
            self.total += evicted

        before = self.total
        await Evictor(
            accounts=self.accounts,
            leases=self.leases,
            keeping=Keeping(map(ImagePattern.parse, self.keep)),
            cost=self.costs,
            clock=lambda: NOW,
            forget=self.forgotten.extend,
            told=told,
            wanted=lambda: wanted - (self.total.bytes - before.bytes),
            loose=[Root(str(d(name)), NOW - 3 * DAY_S) for name in loose],
            warm=warm,
        ).run()
        return self.total - before

    async def stalest(self, most: int) -> list[tuple[str, int]]:
        evictor = Evictor(
            accounts=self.accounts,
            leases=self.leases,
            keeping=Keeping(map(ImagePattern.parse, self.keep)),
            cost=self.costs,
            clock=lambda: NOW,
            forget=self.forgotten.extend,
            told=lambda _: None,
            wanted=lambda: 0,
        )
        return [(", ".join(one.names), one.bytes) for one in await evictor.stalest(most)]

    async def has(self, *names: str) -> list[str]:
        """Those of `names` that are there, by the catalog and by the disk, which must agree."""
        found = []
        for name in names:
            row, size = await self.catalog.blob(d(name)), await self.store.size(d(name))
            assert (row is None) == (size is None), name
            if row is not None:
                found.append(name)
        return found


@pytest.fixture
async def cache(tmp_path: Path) -> AsyncIterator[Cache]:
    store = BlobStore(tmp_path)
    await store.open()
    catalog = Catalog(store.layout.catalog)
    await catalog.open()
    yield Cache(store, catalog)
    await catalog.aclose()
    await store.aclose()


async def test_the_least_recently_used_goes_with_what_only_it_needs(cache: Cache) -> None:
    await cache.put("new", NOW - DAY_S, "base", "n")
    await cache.put("old", NOW - 2 * DAY_S, "base", "o")
    evicted = await cache.evict(150)
    assert evicted == Evicted(images=1, blobs=2, bytes=200)
    assert await cache.has("new", "old", "base", "n", "o") == ["new", "base", "n"]
    assert cache.forgotten == [d("old")]
    assert await cache.catalog.tag("r", RepositoryName("images"), Tag("old")) is None
    assert cache.accounts.kept == 300


async def test_all_of_it_goes_when_so_much_is_wanted(cache: Cache) -> None:
    for number in range(5):
        await cache.put(f"m{number}", NOW - DAY_S - number, "base", f"l{number}")
    assert await cache.evict(10**9) == Evicted(images=5, blobs=11, bytes=1100)
    assert (await cache.catalog.totals()).bytes == 0


async def test_nothing_goes_when_nothing_is_wanted(cache: Cache) -> None:
    await cache.put("m", NOW - DAY_S)
    assert await cache.evict(0) == Evicted()


async def test_what_a_rule_keeps_stays_with_all_its_layers(cache: Cache) -> None:
    await cache.put("kept", NOW - 9 * DAY_S, "base", "k")
    await cache.put("other", NOW - DAY_S, "base", "o")
    cache.keep = ["localhost/images:kept"]
    assert (await cache.evict(10**9)).images == 2  # not a registry that is here
    await cache.put("kept", NOW - 9 * DAY_S, "base", "k")
    await cache.put("other", NOW - DAY_S, "base", "o")
    cache.keep = [f"localhost/x@{d('kept')}"]
    assert await cache.evict(10**9) == Evicted(images=1, blobs=2, bytes=200)
    assert await cache.has("kept", "base", "k", "other", "o") == ["kept", "base", "k"]


@pytest.mark.parametrize("warm", [False, True])
async def test_an_image_whose_own_layer_is_read_or_fetched_stays(cache: Cache, warm: bool) -> None:
    await cache.put("read", NOW - DAY_S, "a")
    await cache.put("fetched", NOW - DAY_S, "b")
    lease = cache.leases.take(d("a"))
    cache.accounts.flights[d("b")] = lambda: (SIZE, 0)
    assert await cache.evict(10**9, warm=warm) == Evicted()
    lease.release()
    assert (await cache.evict(10**9, warm=warm)).images == 1
    assert await cache.has("read", "fetched") == ["fetched"]


async def test_a_shared_layer_that_is_read_does_not_hold_every_image_that_has_it(
    cache: Cache,
) -> None:
    await cache.put("one", NOW - DAY_S, "base", "a")
    await cache.put("two", NOW - DAY_S, "base", "b")
    lease = cache.leases.take(d("base"))
    assert (await cache.evict(10**9)).images == 2
    assert await cache.has("one", "two", "base", "a", "b") == ["base"]
    lease.release()
    assert (await cache.evict(1, loose=["base"])).blobs == 1


async def test_warm_images_go_only_when_that_is_said(cache: Cache) -> None:
    await cache.put("lately", NOW - WARM_S / 2, "a")
    await cache.put("its layer lately".replace(" ", "-"), NOW - DAY_S, "b")
    await cache.catalog.put_blob(BlobRecord(d("b"), SIZE, 1.0, NOW - 1))
    await cache.put("maybe", NOW - 10 * WARM_S, "base", "c")
    await cache.put("other", NOW - 10 * WARM_S, "base", "e")
    lease = cache.leases.take(d("base"))
    assert await cache.evict(10**9) == Evicted()
    assert (await cache.evict(10**9, warm=True)).images == 4
    lease.release()


async def test_one_used_since_uses_were_written_stays(cache: Cache) -> None:
    await cache.put("used", NOW - DAY_S, "a")
    cache.catalog.use_blob(d("a"), NOW)
    assert await cache.evict(10**9) == Evicted()
    assert (await cache.evict(10**9, warm=True)).images == 1


async def test_loose_blobs_take_their_turn(cache: Cache) -> None:
    for name in ("old", "older"):
        await cache.put_blob(name, NOW - 3 * DAY_S)
    await cache.put("oldest", NOW - 4 * DAY_S)
    await cache.put("new", NOW - DAY_S)
    assert (await cache.evict(250, loose=["old", "older"])).blobs == 3
    assert await cache.has("oldest", "old", "older", "new") == ["new"]


async def test_many_loose_blobs_come_in_pages_too(cache: Cache) -> None:
    names = [f"loose{number}" for number in range(PAGE_ROOTS + 5)]
    for name in names:
        await cache.put_blob(name, NOW - 3 * DAY_S)
    assert (await cache.evict(10**9, loose=names)).blobs == len(names)


async def test_over_pages_the_dearest_is_left_for_last(cache: Cache) -> None:
    """It is the oldest by far and on the first page; what is cheaper is on the second."""
    await cache.put("dear", NOW - 4 * DAY_S, "dear-layer")
    for number in range(PAGE_ROOTS + 10):
        await cache.put(f"m{number}", NOW - 2 * DAY_S + number)

    def cost(parts: Iterable[Part]) -> float:
        return 8.0 if str(d("dear-layer")) in {part.digest for part in parts} else 1.0

    cache.costs = cost
    evicted = await cache.evict(SIZE * (PAGE_ROOTS + 10))
    assert evicted.images == PAGE_ROOTS + 10
    assert await cache.has("dear", "m0", f"m{PAGE_ROOTS + 9}") == ["dear"]
    assert (await cache.evict(1)).images == 1


async def test_what_comes_into_use_while_its_rows_go_is_entered_again(
    cache: Cache,
) -> None:
    await cache.put("m", NOW - DAY_S, "a", "b")
    leases: list[Lease] = []

    class LateLeases(Leases):
        """Somebody takes `a` between the rows and the files."""

        def digests(self) -> set[Digest]:
            if cache.forgotten and not leases:
                leases.append(self.take(d("a")))
            return super().digests()

    cache.leases = LateLeases()
    evicted = await cache.evict(1)
    assert (evicted.images, evicted.blobs) == (1, 2)
    assert await cache.has("m", "a", "b") == ["a"]
    leases[0].release()


async def test_what_would_go_first_is_told_and_nothing_goes(cache: Cache) -> None:
    cache.keep.append(f"localhost/any@{d('layer of kept')}")
    await cache.put("kept", NOW - 9 * DAY_S, "layer of kept")
    await cache.put("old", NOW - 5 * DAY_S, "shared", "layer of old")
    await cache.put("middle", NOW - 3 * DAY_S, "shared")
    await cache.put("young", NOW - 1.0, "layer of young")
    told = await cache.stalest(5)
    assert told == [("r/images:old", 2 * SIZE), ("r/images:middle", SIZE)]
    assert await cache.stalest(1) == told[:1]
    assert await cache.has("kept", "old", "middle", "young") == ["kept", "old", "middle", "young"]
