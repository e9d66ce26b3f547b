"""Nobody puts a blob back while it is on its way out."""

from __future__ import annotations

import asyncio

from entrepot.oci.digest import Digest
from entrepot.store.blobs import BlobStore
from entrepot.store.partial import Partial
from entrepot.store.removals import Removals

DATA = b"some bytes"
DIGEST = Digest.of(DATA)
OTHER = Digest.of(b"other bytes")


async def waits(work: asyncio.Future[None] | asyncio.Future[Partial]) -> bool:
    for _ in range(10):
        await asyncio.sleep(0)
    return not work.done()


async def test_others_do_not_wait() -> None:
    removals = Removals()
    with removals.of([DIGEST]):
        assert DIGEST in removals
        await removals.settled(OTHER)
    assert DIGEST not in removals
    await removals.settled(DIGEST)


async def test_whoever_removes_it_last_lets_the_others_go_on() -> None:
    removals = Removals()
    outer, inner = removals.of([DIGEST, OTHER]), removals.of([DIGEST])
    outer.__enter__()
    inner.__enter__()
    waiting = asyncio.ensure_future(removals.settled(DIGEST))  # noqa: TID251 - awaited below
    inner.__exit__(None, None, None)
    assert await waits(waiting)
    outer.__exit__(None, None, None)
    await waiting
    assert DIGEST not in removals
    assert OTHER not in removals


async def test_the_outer_may_end_first() -> None:
    removals = Removals()
    outer, inner = removals.of([DIGEST]), removals.of([DIGEST])
    outer.__enter__()
    inner.__enter__()
    outer.__exit__(None, None, None)
    assert DIGEST in removals
    inner.__exit__(None, None, None)
    assert DIGEST not in removals


async def test_putting_and_beginning_wait_for_the_end_of_a_removal(store: BlobStore) -> None:
    await store.put(DIGEST, DATA)
    with store.removals.of([DIGEST, OTHER]):
        putting = asyncio.ensure_future(store.put(DIGEST, DATA))  # noqa: TID251 - awaited below
        beginning = asyncio.ensure_future(store.begin(OTHER))  # noqa: TID251 - awaited below
        assert await waits(putting)
        assert await waits(beginning)
        assert await store.delete_all([DIGEST]) == 1
    await putting
    assert await store.size(DIGEST) == len(DATA)
    partial = await beginning
    await partial.discard()


async def test_a_commit_waits_as_well(store: BlobStore) -> None:
    partial = await store.begin(DIGEST)
    await partial.write(0, DATA)
    partial.size = len(DATA)
    with store.removals.of([DIGEST]):
        committing = asyncio.ensure_future(partial.commit())  # noqa: TID251 - awaited below
        assert await waits(committing)
    await committing
    assert await store.size(DIGEST) == len(DATA)
