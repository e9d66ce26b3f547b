"""What somebody brings is kept when it is what it says it is, and only then."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from entrepot.errors import ArchiveInvalid, Incomplete, NoRoom, StoreError
from entrepot.mirror.intake import SOURCE, Intake
from entrepot.mirror.names import NameTable
from entrepot.mirror.room import Room
from entrepot.mirror.rules import Rules
from entrepot.mirror.watermarks import Limits
from entrepot.tasks import TaskOwner
from entrepot.trust.pinfile import read_pin_file
from entrepot.trust.pins import Pins
from entrepot.trust.policy import Policy, PolicyTable
from fakes.fault import Fault
from fakes.images import Image, blob, image, index, sha256
from fakes.registry import FakeRegistry
from mirroring import PAUSE, mirroring
from unit.store.keeping import REGISTRY, Keeping, files, keeping

ONE = image("one", layers=(3_000_000,))
NAME = f"{REGISTRY}/pause:1"
PINNED = image("pinned")


def pinned() -> Rules:
    text = f"schema: 1\npins:\n  {NAME}: {PINNED.digest}\n"
    return Rules(Pins((read_pin_file("test.yaml", text.splitlines(keepends=True)),)))


async def pieces(data: bytes, size: int = 1 << 20) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


@asynccontextmanager
async def intake(
    path: Path, limits: Limits | None = None, private: Sequence[str] = ()
) -> AsyncIterator[tuple[Keeping, Intake]]:
    async with keeping(path) as own:
        room = Room(own.store, own.catalog, own.clock, own.metrics.cache, limits or Limits())
        await room.accounts.recount()
        names = NameTable({REGISTRY: ["short"]})
        try:
            yield own, Intake(names, room, frozenset(private), load_rules=pinned)
        finally:
            await room.aclose()


async def take(taking: Intake, one: Image, name: str = NAME) -> None:
    for data in one.blobs:
        assert await taking.take_blob(sha256(data), len(data), REGISTRY, pieces(data))
    place = taking.place(name)
    await taking.take_manifest(one.digest, one.media_type, one.manifest, place, named=True)


async def test_an_image_is_there_as_if_it_had_been_pulled(tmp_path: Path) -> None:
    async with intake(tmp_path) as (own, taking):
        await take(taking, ONE, "short/pause:1")
        assert await own.tags() == ["1"]
        assert await own.digests() == {ONE.digest, *map(sha256, ONE.blobs)}
        record = await own.catalog.manifest(ONE.digest)
        assert record is not None
        assert (record.mirror, record.registry, record.repository) == (SOURCE, REGISTRY, "pause")
        assert own.path(sha256(ONE.layers[0])).read_bytes() == ONE.layers[0]
        assert files(own.store.layout.partials) == []


async def test_what_is_here_is_not_taken_again(tmp_path: Path) -> None:
    async with intake(tmp_path) as (_, taking):
        await take(taking, ONE)
        data = ONE.layers[0]
        assert not await taking.take_blob(sha256(data), len(data), REGISTRY, pieces(b""))
        assert await taking.held([sha256(data), sha256(b"none")]) == {sha256(data)}


@pytest.mark.parametrize(
    ("sent", "told"),
    [(b"x" * 1000, "other bytes"), (b"x" * 999, "999 of 1000"), (b"x" * 1001, "more than")],
)
async def test_other_bytes_leave_nothing_behind(tmp_path: Path, sent: bytes, told: str) -> None:
    async with intake(tmp_path) as (own, taking):
        with pytest.raises(ArchiveInvalid, match=told):
            await taking.take_blob(sha256(blob(1000)), 1000, REGISTRY, pieces(sent))
        assert await own.digests() == set()
        assert files(own.store.layout.partials) == []


async def test_who_breaks_off_leaves_nothing_behind(tmp_path: Path) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"x" * 500
        raise ConnectionResetError

    async with intake(tmp_path) as (own, taking):
        with pytest.raises(ConnectionResetError):
            await taking.take_blob(sha256(blob(1000)), 1000, REGISTRY, broken())
        assert files(own.store.layout.partials) == []
        assert await taking.take_blob(sha256(blob(1000)), 1000, REGISTRY, pieces(blob(1000)))


async def test_bytes_of_a_broken_download_are_not_relied_on(tmp_path: Path) -> None:
    data = blob(1000)
    async with intake(tmp_path) as (own, taking):
        partial = await own.store.begin(sha256(data))
        await partial.write(0, b"wrong")
        await partial.aclose()
        assert await taking.take_blob(sha256(data), len(data), REGISTRY, pieces(data))
        assert own.path(sha256(data)).read_bytes() == data


async def test_two_do_not_bring_the_same_at_a_time(tmp_path: Path) -> None:
    data, first = blob(1000), asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        first.set()
        yield data[:10]
        await going.wait()
        yield data[10:]

    going = asyncio.Event()
    async with intake(tmp_path) as (_, taking):
        owner = TaskOwner("test")
        task = owner.start(taking.take_blob(sha256(data), 1000, REGISTRY, slow()), name="first")
        await first.wait()
        with pytest.raises(StoreError, match="already"):
            await taking.take_blob(sha256(data), 1000, REGISTRY, pieces(data))
        going.set()
        assert await task


async def test_a_fill_of_the_same_blob_is_waited_for(tmp_path: Path) -> None:
    data = ONE.layers[0]
    async with FakeRegistry() as mirror, mirroring(tmp_path, mirror.url) as mirrored:
        mirror.put_image("pause", "1", ONE)
        mirror.fault(Fault("slow_headers", path="/blobs/", delay=0.2))
        fill = await mirrored.blobs.fetch(PAUSE, sha256(data), mirrored.deadline())
        assert fill is not None
        names = NameTable({REGISTRY: []})
        taking = Intake(names, mirrored.fills.room, fills=mirrored.fills, load_rules=pinned)
        assert not await taking.take_blob(sha256(data), len(data), REGISTRY, pieces(data))
        assert len(mirrored.fills) == 0


async def test_a_name_is_given_only_to_what_can_be_pulled(tmp_path: Path) -> None:
    parts = [image("p", platform=each) for each in ("linux/amd64", "linux/arm64")]
    both = index(parts)
    async with intake(tmp_path) as (own, taking):
        place = taking.place(NAME)
        with pytest.raises(Incomplete, match="is not complete"):
            await taking.take_manifest(
                both.digest, both.media_type, both.manifest, place, named=True
            )
        for data in parts[0].blobs:
            await taking.take_blob(sha256(data), len(data), REGISTRY, pieces(data))
        for one, named in ((parts[0], False), (both, True)):
            await taking.take_manifest(one.digest, one.media_type, one.manifest, place, named=named)
        assert await own.tags() == ["1"]


@pytest.mark.parametrize("body", [b"", b"{}", ONE.manifest[:-1], PINNED.manifest])
async def test_a_manifest_proves_itself(tmp_path: Path, body: bytes) -> None:
    async with intake(tmp_path) as (own, taking):
        with pytest.raises(ArchiveInvalid):
            await taking.take_manifest(
                ONE.digest, ONE.media_type, body, taking.place(NAME), named=False
            )
        assert await own.digests() == set()


async def test_names_are_judged(tmp_path: Path) -> None:
    async with intake(tmp_path) as (_, taking):
        fine = await taking.judge("short/pause:2", ONE.digest)
        assert (str(fine.place), fine.refused, fine.pinned) == (f"{REGISTRY}/pause:2", "", None)
        assert "not served here" in (await taking.judge("quay.io/a:1", ONE.digest)).refused
        assert (await taking.judge("no tag", ONE.digest)).refused
        pinned = await taking.judge(NAME, ONE.digest)
        assert pinned.pinned == PINNED.digest
        assert (await taking.judge(NAME, PINNED.digest)).pinned is None
        by_digest = await taking.judge(f"{REGISTRY}/pause@{ONE.digest}", ONE.digest)
        assert not by_digest.refused
        other = await taking.judge(f"{REGISTRY}/pause@{PINNED.digest}", ONE.digest)
        assert other.refused == f"what is in the file is {ONE.digest}"


def _same(rules: Rules) -> Rules:
    return rules


async def test_pins_are_those_of_the_settings_of_now(tmp_path: Path) -> None:
    async with intake(tmp_path) as (_, taking):
        assert (await taking.judge(NAME, ONE.digest)).pinned == PINNED.digest
        policies = PolicyTable.of({}, Policy.parse("first"))
        for rules in (Rules(), replace(pinned(), policies=policies)):
            taking.follow(taking.names, frozenset(), partial(_same, rules))
            assert (await taking.judge(NAME, ONE.digest)).pinned is None


async def test_what_is_private_stays_so(tmp_path: Path) -> None:
    async with intake(tmp_path, private=[REGISTRY]) as (own, taking):
        await take(taking, ONE)
        for digest in (ONE.digest, sha256(ONE.layers[0])):
            assert not await own.store.is_public(digest)
        taking.private = frozenset()
        data = ONE.layers[0]
        await taking.take_blob(sha256(data), len(data), REGISTRY, pieces(data))
        assert await own.store.is_public(sha256(data))


async def test_the_limit_of_the_cache_holds(tmp_path: Path) -> None:
    async with intake(tmp_path, Limits(max_size=1_000_000)) as (own, taking):
        data = ONE.layers[0]
        with pytest.raises(NoRoom):
            await taking.take_blob(sha256(data), len(data), REGISTRY, pieces(data))
        assert files(own.store.layout.partials) == []
