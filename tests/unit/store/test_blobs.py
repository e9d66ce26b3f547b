from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
from pathlib import Path

import pytest

from entrepot.errors import Corrupt, StoreError, StoreLocked, StoreTooNew
from entrepot.oci.digest import Digest
from entrepot.store.blobs import BlobStore
from entrepot.store.partial import Partial

DATA = b'{"schemaVersion": 2}'
DIGEST = Digest.of(DATA)
LIMIT = 1 << 20


def files_below(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


async def test_a_new_cache_is_an_empty_layout(store: BlobStore) -> None:
    assert files_below(store.layout.root) == ["VERSION", "lock"]
    assert store.layout.version.read_text() == "1\n"
    assert store.layout.partials.stat().st_mode & 0o777 == 0o700


async def test_a_second_server_is_refused(store: BlobStore) -> None:
    with pytest.raises(StoreLocked, match=str(os.getpid())):
        await BlobStore(store.layout.root).open()


async def test_a_closed_store_can_be_opened_again(tmp_path: Path) -> None:
    for _ in range(2):
        store = BlobStore(tmp_path)
        await store.open()
        await store.aclose()
        await store.aclose()


@pytest.mark.parametrize("version", ["2\n", "", "something else entirely"])
async def test_another_version_is_refused_and_unlocked(tmp_path: Path, version: str) -> None:
    (tmp_path / "VERSION").write_text(version)
    store = BlobStore(tmp_path)
    with pytest.raises(StoreTooNew, match="version 1"):
        await store.open()
    await store.aclose()
    (tmp_path / "VERSION").write_text("1\n")
    again = BlobStore(tmp_path)
    await again.open()
    await again.aclose()


async def test_a_file_in_place_of_the_cache_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("")
    store = BlobStore(tmp_path / "cache" / "deeper")
    with pytest.raises(StoreError):
        await store.open()
    await store.aclose()


async def test_what_an_earlier_process_left_half_written_is_removed(tmp_path: Path) -> None:
    waste = tmp_path / "partial" / "new" / "deadbeef"
    waste.parent.mkdir(parents=True)
    waste.write_text("half")
    store = BlobStore(tmp_path)
    await store.open()
    assert not waste.exists()
    await store.aclose()


async def test_what_was_put_can_be_got(store: BlobStore) -> None:
    await store.put(DIGEST, DATA)
    blob = await store.get(DIGEST)
    assert blob is not None
    with blob:
        assert blob.size == len(DATA)
        assert blob.file.read() == DATA
    assert blob.file.closed
    assert await store.size(DIGEST) == len(DATA)
    assert await store.read(DIGEST, LIMIT) == DATA
    assert store.layout.blob(DIGEST).stat().st_mode & 0o777 == 0o444


async def test_what_was_put_survives_a_restart(tmp_path: Path) -> None:
    for _ in range(2):
        store = BlobStore(tmp_path)
        await store.open()
        await store.put(DIGEST, DATA)
        assert await store.read(DIGEST, LIMIT) == DATA
        await store.aclose()
    assert files_below(tmp_path / "partial") == []


@pytest.mark.rule("F-8")
async def test_sha512_is_verified_with_sha512(store: BlobStore) -> None:
    digest = Digest("sha512", hashlib.sha512(DATA).hexdigest())
    await store.put(digest, DATA)
    assert await store.read(digest, LIMIT) == DATA
    with pytest.raises(Corrupt):
        await store.put(Digest("sha512", "00" * 64), DATA)


async def test_what_is_not_here_is_none(store: BlobStore) -> None:
    assert await store.get(DIGEST) is None
    assert await store.size(DIGEST) is None
    assert await store.read(DIGEST, LIMIT) is None
    assert await store.delete(DIGEST) is False


async def test_wrong_bytes_are_refused_and_leave_nothing(store: BlobStore) -> None:
    with pytest.raises(Corrupt):
        await store.put(DIGEST, DATA + b" ")
    assert await store.get(DIGEST) is None
    assert files_below(store.layout.partials) == []


@pytest.mark.rule("F-3")
async def test_signed_schema1_is_kept_under_the_digest_of_its_payload(store: BlobStore) -> None:
    payload = b'{\n   "schemaVersion": 1,\n   "fsLayers": []\n}'
    head, tail = payload[:-2], payload[-2:]
    protected = json.dumps(
        {"formatLength": len(head), "formatTail": base64.urlsafe_b64encode(tail).decode()}
    )
    signature = {"protected": base64.urlsafe_b64encode(protected.encode()).decode().rstrip("=")}
    body = head + b',\n   "signatures": [' + json.dumps(signature).encode() + b"]" + tail
    await store.put(Digest.of(payload), body)
    assert await store.read(Digest.of(payload), LIMIT) == body


async def test_a_blob_whose_bytes_changed_is_corrupt(store: BlobStore) -> None:
    await store.put(DIGEST, DATA)
    path = store.layout.blob(DIGEST)
    path.chmod(0o600)
    path.write_bytes(DATA.replace(b"2", b"3"))
    with pytest.raises(Corrupt, match=DIGEST.hex):
        await store.read(DIGEST, LIMIT)


async def test_a_truncated_blob_is_healed_by_putting_it_again(store: BlobStore) -> None:
    await store.put(DIGEST, DATA)
    os.truncate(store.layout.blob(DIGEST), 3)
    await store.put(DIGEST, DATA)
    assert await store.read(DIGEST, LIMIT) == DATA


async def test_reading_stops_at_the_limit(store: BlobStore) -> None:
    await store.put(DIGEST, DATA)
    with pytest.raises(StoreError, match="more than 4 bytes"):
        await store.read(DIGEST, 4)


async def test_a_deleted_blob_stays_readable_for_who_has_it_open(store: BlobStore) -> None:
    await store.put(DIGEST, DATA)
    blob = await store.get(DIGEST)
    assert blob is not None
    assert await store.delete(DIGEST) is True
    assert await store.get(DIGEST) is None
    with blob:
        assert blob.file.read() == DATA


async def test_the_same_bytes_put_at_once_are_one_blob(store: BlobStore) -> None:
    await asyncio.gather(*(store.put(DIGEST, DATA) for _ in range(8)))
    assert await store.read(DIGEST, LIMIT) == DATA
    assert files_below(store.layout.partials) == []


async def test_a_cancelled_get_leaves_no_open_file(store: BlobStore) -> None:
    await store.put(DIGEST, DATA)
    path = str(store.layout.blob(DIGEST))
    for rounds in range(8):
        async with asyncio.TaskGroup() as group:
            task = group.create_task(store.get(DIGEST))
            for _ in range(rounds):
                await asyncio.sleep(0)
            task.cancel()
        if not task.cancelled() and (blob := task.result()) is not None:
            blob.close()
    held = [link for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    assert path not in [str(link.readlink()) for link in held if link.exists()]


async def test_one_download_of_a_digest_at_a_time(store: BlobStore) -> None:
    first = await store.begin(DIGEST)
    with pytest.raises(StoreError, match="already"):
        await store.begin(DIGEST)
    await first.aclose()
    second = await store.begin(DIGEST)
    await second.discard()
    third = await store.begin(DIGEST)
    await third.aclose()


async def test_a_cancelled_begin_can_be_repeated(store: BlobStore) -> None:
    """Cancelled later and later, until it is too late: in every step of it."""
    partial = await store.begin(DIGEST)
    await partial.write(0, DATA[:5])
    await partial.aclose()
    rounds = 0
    while True:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(store.begin(DIGEST))
            for _ in range(rounds):
                await asyncio.sleep(0)
            task.cancel()
        if not task.cancelled():
            break
        rounds += 1 + rounds // 10
    assert task.result().front == 5
    await task.result().discard()


@pytest.mark.parametrize("rounds", [0, 1, 2, 10, 50])
async def test_a_store_closed_while_a_download_begins_leaves_no_file_open(
    tmp_path: Path, rounds: int
) -> None:
    store = BlobStore(tmp_path)
    await store.open()
    beginning = asyncio.gather(store.begin(DIGEST), return_exceptions=True)
    for _ in range(rounds):
        await asyncio.sleep(0)
    await store.aclose()
    [ended] = await beginning
    assert isinstance(ended, StoreError | Partial)
    names = [str(link.readlink()) for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    assert not [name for name in names if name.startswith(str(tmp_path))]


async def test_closing_the_store_keeps_a_running_download(tmp_path: Path) -> None:
    store = BlobStore(tmp_path)
    await store.open()
    partial = await store.begin(DIGEST)
    partial.size = len(DATA)
    await partial.write(0, DATA[:5])
    await store.aclose()
    await partial.aclose()
    store = BlobStore(tmp_path)
    await store.open()
    [info] = await store.partials()
    assert (info.digest, info.written, info.size) == (DIGEST, 5, len(DATA))
    await store.aclose()


async def test_partials_lists_only_what_nobody_works_on(store: BlobStore) -> None:
    kept = await store.begin(DIGEST)
    await kept.write(0, DATA[:3])
    assert await store.partials() == []
    await kept.aclose()
    assert [info.digest for info in await store.partials()] == [DIGEST]


async def test_strange_names_among_the_partials_are_ignored(store: BlobStore) -> None:
    (store.layout.partials / "sha256" / "lost+found").mkdir(parents=True)
    assert await store.partials() == []


async def test_old_partials_are_dropped_and_new_ones_and_running_ones_kept(
    store: BlobStore,
) -> None:
    old, new, running = (Digest.of(name) for name in (b"old", b"new", b"running"))
    for digest in (old, new, running):
        partial = await store.begin(digest)
        await partial.write(0, b"x")
        await partial.aclose()
    for digest in (old, running):
        os.utime(store.layout.partial(digest) / "data", (1000, 1000))
    busy = await store.begin(running)
    assert [info.digest for info in await store.drop_partials(2000.0)] == [old]
    assert [info.digest for info in await store.partials()] == [new]
    await busy.aclose()
    assert not store.layout.partial(old).exists()


async def test_a_map_without_data_is_dropped_too(store: BlobStore) -> None:
    partial = await store.begin(DIGEST)
    await partial.aclose()
    (store.layout.partial(DIGEST) / "data").unlink()
    assert [info.written for info in await store.drop_partials(float("inf"))] == [0]
    assert not store.layout.partial(DIGEST).exists()


async def test_lengths_of_many_are_told_of_those_that_are_here(tmp_path: Path) -> None:
    store = BlobStore(tmp_path)
    await store.open()
    try:
        one, other = Digest.of(b"one"), Digest.of(b"other")
        await store.put(one, b"one")
        assert await store.sizes([one, other]) == {one: 3}
        assert await store.sizes([]) == {}
    finally:
        await store.aclose()


async def test_many_blobs_are_removed_in_one_go(store: BlobStore) -> None:
    other = b"other"
    await store.put(DIGEST, DATA)
    await store.put(Digest.of(other), other)
    missing = Digest.of(b"missing")
    assert await store.delete_all([DIGEST, missing, Digest.of(other)]) == 2
    assert await store.size(DIGEST) is None


async def test_one_broken_off_download_is_dropped_unless_somebody_goes_on_with_it(
    store: BlobStore,
) -> None:
    partial = await store.begin(DIGEST)
    await partial.write(0, DATA[:3])
    assert not await store.drop_partial(DIGEST)
    await partial.aclose()
    assert [info.written for info in await store.partials()] == [3]
    assert await store.drop_partial(DIGEST)
    assert await store.partials() == []


async def test_the_disk_has_a_size(store: BlobStore) -> None:
    free, size = await store.disk_space()
    assert 0 < free <= size


async def test_one_that_cannot_be_opened_has_no_readable_size(store: BlobStore) -> None:
    digest = Digest.of(b"readable")
    assert await store.readable(digest) is None
    await store.put(digest, b"readable")
    assert await store.readable(digest) == 8
    directory = store.layout.blob(digest).parent
    await store.delete(digest)
    directory.rmdir()
    directory.write_bytes(b"")
    assert await store.readable(digest) is None
