from __future__ import annotations

import asyncio
import os
import random
from pathlib import Path
from uuid import uuid4

import pytest

from entrepot.errors import Corrupt, StoreError
from entrepot.oci.digest import Digest
from entrepot.store.blobs import BlobStore
from entrepot.store.partial import Partial
from entrepot.store.rangeset import RangeSet

DATA = random.Random(5).randbytes(300_000)
DIGEST = Digest.of(DATA)
MUCH = random.Random(6).randbytes(5_000_000)
MUCH_DIGEST = Digest.of(MUCH)


async def begin(store: BlobStore) -> Partial:
    partial = await store.begin(DIGEST)
    partial.size = len(DATA)
    return partial


async def test_bytes_in_order_become_a_blob(store: BlobStore) -> None:
    partial = await begin(store)
    for start in range(0, len(DATA), 70_000):
        await partial.write(start, DATA[start : start + 70_000])
        assert partial.front == min(len(DATA), start + 70_000)
    assert await partial.verify()
    await partial.commit()
    assert await store.read(DIGEST, len(DATA)) == DATA
    assert store.layout.blob(DIGEST).stat().st_mode & 0o777 == 0o444
    assert not store.layout.partial(DIGEST).exists()


async def test_the_front_waits_for_a_gap_and_then_jumps(store: BlobStore) -> None:
    partial = await begin(store)
    await partial.write(100_000, DATA[100_000:])
    assert partial.front == 0
    assert partial.written == RangeSet(((100_000, len(DATA)),))
    assert not await partial.verify()
    await partial.write(0, DATA[:100_000])
    assert partial.front == len(DATA)
    await partial.commit()


async def test_a_write_may_be_made_of_many_buffers(store: BlobStore) -> None:
    partial = await begin(store)
    pieces = [memoryview(DATA)[at : at + 100] for at in range(0, len(DATA), 100)]
    assert len(pieces) > 2048
    await partial.write(0, [b"", *pieces])
    assert await partial.verify()
    await partial.discard()


async def test_writing_nothing_claims_nothing(store: BlobStore) -> None:
    partial = await begin(store)
    await partial.write(50, b"")
    await partial.write(50, [])
    assert not partial.written
    await partial.discard()


async def test_an_empty_blob_can_be_committed(store: BlobStore) -> None:
    empty = Digest.of(b"")
    partial = await store.begin(empty)
    partial.size = 0
    await partial.commit()
    assert await store.size(empty) == 0


async def test_parallel_writes_in_any_order_give_the_blob(store: BlobStore) -> None:
    partial = await begin(store)
    starts = list(range(0, len(DATA), 7_001))
    random.Random(9).shuffle(starts)
    await asyncio.gather(*(partial.write(at, DATA[at : at + 7_001]) for at in starts))
    assert partial.front == len(DATA)
    await partial.commit()
    assert await store.read(DIGEST, len(DATA)) == DATA


async def test_bytes_that_are_there_are_not_written_again(store: BlobStore) -> None:
    partial = await begin(store)
    await partial.write(1000, DATA[1000:2000])
    await partial.write(0, b"\0" * 500)
    await partial.write(0, DATA[:3000])
    await partial.write(3000, DATA[3000:])
    assert not await partial.verify()
    await partial.forget(0, 500)
    await partial.write(0, DATA)
    assert await partial.verify()
    await partial.discard()


async def test_readers_see_bytes_while_they_arrive_and_after_the_commit(store: BlobStore) -> None:
    partial = await begin(store)
    await partial.write(0, DATA[:1000])
    with await partial.open_reader() as reader:
        assert reader.read() == DATA[:1000]
        await partial.write(1000, DATA[1000:])
        await partial.commit()
        assert reader.read() == DATA[1000:]
    with await partial.open_reader() as late:
        assert late.read() == DATA
    await store.delete(DIGEST)


async def test_wrong_bytes_are_never_committed(store: BlobStore) -> None:
    partial = await begin(store)
    await partial.write(0, DATA[:-1] + b"!")
    assert not await partial.verify()
    with pytest.raises(Corrupt):
        await partial.commit()
    assert await store.get(DIGEST) is None
    with await partial.open_reader() as reader:
        await partial.reset()
        assert reader.read() == b""
    assert (partial.size, partial.front, partial.written) == (None, 0, RangeSet())
    partial.size = len(DATA)
    await partial.write(0, DATA)
    await partial.commit()
    assert await store.read(DIGEST, len(DATA)) == DATA


async def test_without_a_size_nothing_is_proved(store: BlobStore) -> None:
    partial = await store.begin(DIGEST)
    await partial.write(0, DATA)
    assert not await partial.verify()
    partial.size = len(DATA)
    assert await partial.verify()
    await partial.discard()


async def test_bytes_past_the_size_are_refused(store: BlobStore) -> None:
    partial = await begin(store)
    with pytest.raises(ValueError, match="of 300000"):
        await partial.write(len(DATA) - 1, b"xy")
    await partial.write(10, b"xy")
    with pytest.raises(ValueError, match="12 bytes are there"):
        partial.size = 11
    await partial.discard()


async def test_a_bad_chunk_in_the_middle_can_be_fetched_again(store: BlobStore) -> None:
    partial = await begin(store)
    await partial.write(0, DATA[:100_000])
    await partial.write(100_000, bytes(50_000))
    await partial.write(150_000, DATA[150_000:])
    assert partial.front == len(DATA)
    await partial.forget(100_000, 150_000)
    assert partial.front == 100_000
    assert partial.written.missing(0, len(DATA)) == ((100_000, 150_000),)
    await partial.write(100_000, DATA[100_000:150_000])
    assert await partial.verify()
    await partial.discard()


async def test_forgetting_ahead_of_the_front_leaves_the_front(store: BlobStore) -> None:
    partial = await begin(store)
    await partial.write(0, DATA[:1000])
    await partial.write(5000, DATA[5000:6000])
    await partial.forget(5000, 6000)
    await partial.forget(0, 0)
    assert (partial.front, partial.written.total) == (1000, 1000)
    await partial.discard()


async def test_commit_twice_and_close_afterwards_are_harmless(store: BlobStore) -> None:
    partial = await begin(store)
    await partial.write(0, DATA)
    await partial.commit()
    await partial.commit()
    await partial.aclose()
    await partial.discard()
    assert await store.size(DIGEST) == len(DATA)


async def test_commit_over_a_damaged_blob_heals_it(store: BlobStore) -> None:
    path = store.layout.blob(DIGEST)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"damaged")
    partial = await begin(store)
    await partial.write(0, DATA)
    await partial.commit()
    assert await store.read(DIGEST, len(DATA)) == DATA


async def test_a_closed_partial_refuses_work_and_a_new_one_goes_on(store: BlobStore) -> None:
    first = await begin(store)
    await first.write(0, DATA[:120_000])
    await first.aclose()
    await first.aclose()
    with pytest.raises(StoreError, match="closed"):
        await first.write(120_000, b"x")
    second = await store.begin(DIGEST)
    assert (second.size, second.front) == (len(DATA), 120_000)
    await first.discard()
    await second.write(120_000, DATA[120_000:])
    await second.commit()
    assert await store.read(DIGEST, len(DATA)) == DATA


async def test_a_size_without_bytes_is_remembered(store: BlobStore) -> None:
    await (await begin(store)).aclose()
    again = await store.begin(DIGEST)
    assert again.size == len(DATA)
    await again.discard()


async def test_after_a_clean_close_another_boot_goes_on_too(tmp_path: Path) -> None:
    for size in (100_000, 300_000):
        store = BlobStore(tmp_path, boot=uuid4())
        await store.open()
        partial = await begin(store)
        assert partial.front == size - (100_000 if size == 100_000 else 200_000)
        await partial.write(partial.front, DATA[partial.front : size])
        await store.aclose()


async def test_cancelled_write_claims_exactly_what_is_on_the_disk(store: BlobStore) -> None:
    partial = await begin(store)
    for rounds in range(12):
        at = rounds * 20_000
        async with asyncio.TaskGroup() as group:
            task = group.create_task(partial.write(at, DATA[at : at + 20_000]))
            for _ in range(rounds):
                await asyncio.sleep(0)
            task.cancel()
        written = partial.written
        with await partial.open_reader() as reader:
            for start, stop in written:
                assert os.pread(reader.fileno(), stop - start, start) == DATA[start:stop]
        if not task.cancelled():
            assert written.covers(at, at + 20_000)
    for start, stop in partial.written.missing(0, len(DATA)):
        await partial.write(start, DATA[start:stop])
    await partial.commit()


async def test_a_partial_says_what_it_is(store: BlobStore) -> None:
    partial = await begin(store)
    await partial.write(0, DATA[:10])
    assert repr(partial) == f"<Partial {DIGEST} 10 hashed, 10 of 300000 bytes>"
    await partial.discard()


async def test_a_large_partial_is_hashed_again_in_pieces(store: BlobStore) -> None:
    large = bytes(9 << 20)
    first = await store.begin(Digest.of(large))
    first.size = len(large)
    await first.write(0, large)
    await first.aclose()
    again = await store.begin(Digest.of(large))
    assert again.front == len(large)
    await again.commit()


async def test_a_data_file_cut_short_is_trusted_as_far_as_it_goes(store: BlobStore) -> None:
    first = await begin(store)
    await first.write(0, DATA)
    await first.aclose()
    os.truncate(store.layout.partial(DIGEST) / "data", 70_000)
    again = await store.begin(DIGEST)
    assert again.written == RangeSet(((0, 70_000),))
    await again.write(70_000, DATA[70_000:])
    await again.commit()
    assert await store.read(DIGEST, len(DATA)) == DATA


async def test_a_map_left_by_a_kill_in_the_middle_of_a_commit_claims_nothing(
    store: BlobStore,
) -> None:
    first = await begin(store)
    await first.write(0, DATA)
    await first.aclose()
    (store.layout.partial(DIGEST) / "data").unlink()
    again = await store.begin(DIGEST)
    assert (again.front, again.written) == (0, RangeSet())
    await again.discard()


async def test_one_that_cannot_be_removed_can_be_begun_again(store: BlobStore) -> None:
    partial = await begin(store)
    (store.layout.partial(DIGEST) / "of somebody else").write_bytes(b"")
    with pytest.raises(StoreError):
        await partial.discard()
    await (await begin(store)).aclose()
