"""Memory that a partial file takes bytes from, and when it is given back."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from entrepot.oci.digest import Digest
from entrepot.store.blobs import BlobStore

DATA = random.Random(5).randbytes(300_000)
DIGEST = Digest.of(DATA)
MUCH = random.Random(6).randbytes(5_000_000)
MUCH_DIGEST = Digest.of(MUCH)


class Given:
    """Memory that is written over as soon as it is given back."""

    def __init__(self, data: bytes) -> None:
        self.memory = bytearray(data)
        self.calls = 0
        self.given = False

    def back(self) -> None:
        self.calls += 1
        self.memory[:] = bytes(len(self.memory))

    def receive(self) -> tuple[memoryview, Callable[[], None]]:
        """Give it once, and nothing after that."""
        if self.given:
            return memoryview(b""), lambda: None
        self.given = True
        return memoryview(self.memory), self.back


@pytest.mark.parametrize("step", [100_000, 300_000, 1_000_000])
async def test_the_hash_may_follow_from_memory_that_is_given_back(
    store: BlobStore, step: int
) -> None:
    partial = await store.begin(MUCH_DIGEST)
    partial.size = len(MUCH)
    pieces = [Given(MUCH[at : at + step]) for at in range(0, len(MUCH), step)]
    for number, piece in enumerate(pieces):
        await partial.write(number * step, piece.memory, piece.back)
    assert partial.written.total == len(MUCH)
    assert await partial.verify()
    assert {piece.calls for piece in pieces} == {1}
    await partial.commit()
    assert await store.read(MUCH_DIGEST, len(MUCH)) == MUCH


async def test_memory_beyond_a_gap_is_given_back_at_once(store: BlobStore) -> None:
    partial = await store.begin(MUCH_DIGEST)
    partial.size = len(MUCH)
    far, near = Given(MUCH[1_000_000:]), Given(MUCH[:1_000_000])
    await partial.write(1_000_000, far.memory, far.back)
    assert far.calls == 1
    await partial.write(0, near.memory, near.back)
    assert await partial.verify()
    assert near.calls == 1
    await partial.discard()


async def test_memory_is_given_back_where_the_bytes_were_there_already(store: BlobStore) -> None:
    partial = await store.begin(MUCH_DIGEST)
    partial.size = len(MUCH)
    await partial.write(500_000, MUCH[500_000:1_000_000])
    again, around = Given(MUCH[600_000:900_000]), Given(MUCH[:2_000_000])
    await partial.write(600_000, again.memory, again.back)
    assert again.calls == 1
    await partial.write(0, around.memory, around.back)
    await partial.write(2_000_000, MUCH[2_000_000:])
    assert await partial.verify()
    assert around.calls == 1
    await partial.discard()


@pytest.mark.parametrize("step", [1000, 100_000, 300_000, 1_000_000])
async def test_what_a_thread_receives_is_written_and_its_memory_given_back(
    store: BlobStore, step: int
) -> None:
    much = MUCH if step > 1000 else DATA
    partial = await store.begin(Digest.of(much))
    partial.size = len(much)
    pieces = [Given(much[at : at + step]) for at in range(0, len(much), step)]
    for number, piece in enumerate(pieces):
        assert await partial.write_from(number * step, piece.receive) == len(piece.memory)
    assert partial.written.total == len(much)
    assert await partial.write_from(len(much), Given(b"").receive) == 0
    assert await partial.verify()
    assert {piece.calls for piece in pieces} == {1}
    await partial.commit()
    assert await store.read(partial.digest, len(much)) == much


async def test_what_is_received_past_the_size_is_refused_and_claims_nothing(
    store: BlobStore,
) -> None:
    partial = await store.begin(DIGEST)
    partial.size = len(DATA)
    with pytest.raises(ValueError, match="of 300000"):
        await partial.write_from(1, Given(DATA).receive)
    assert not partial.written
    await partial.discard()


async def test_a_write_that_fails_gives_nothing_back(store: BlobStore) -> None:
    partial = await store.begin(DIGEST)
    partial.size = len(DATA)
    piece = Given(DATA)
    with pytest.raises(ValueError, match="of 300000"):
        await partial.write(1, piece.memory, piece.back)
    assert piece.calls == 0
    await partial.discard()


async def test_the_hash_so_far_goes_on_for_itself(store: BlobStore) -> None:
    partial = await store.begin(DIGEST)
    partial.size = len(DATA)
    await partial.write(0, DATA[:1000])
    await partial.write(5000, DATA[5000:6000])
    front, hasher = await partial.hashed()
    await partial.write(1000, DATA[1000:5000])
    hasher.update(DATA[front:])
    assert (front, hasher.hexdigest()) == (1000, DIGEST.hex)
    assert (partial.front, partial.lost) == (6000, False)
    await partial.discard()
