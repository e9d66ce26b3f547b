"""One download, many readers: what they get when mirrors break, lie, stall and die."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from entrepot.errors import AllFailed, BlobUnknown, TransferBroken
from entrepot.mirror.wanted import HELD_BACK_BYTES, Wanted
from entrepot.oci.digest import Digest
from entrepot.oci.reference import Tag
from fakes.images import blob, image
from fakes.registry import FakeRegistry, Fault, FaultKind
from mirroring import PAUSE, Mirroring, mirroring, read_all

MIB = 1 << 20
BIG = blob(3 * MIB, "big")
BIG_DIGEST = Digest.of(BIG)
SMALL = blob(HELD_BACK_BYTES // 2, "small")


async def pull(layer: Mirroring, digest: Digest = BIG_DIGEST) -> bytes:
    return await read_all(await layer.blobs.open(PAUSE, digest, layer.deadline()))


async def test_a_cold_blob_is_fetched_kept_and_served_from_the_disk_afterwards(
    tmp_path: Path,
) -> None:
    async with FakeRegistry() as registry, mirroring(tmp_path, registry.url) as layer:
        registry.put_blob("pause", BIG)
        first = await layer.blobs.open(PAUSE, BIG_DIGEST, layer.deadline())
        assert (first.source, first.size) == ("fill", len(BIG))
        assert await read_all(first) == BIG
        await layer.fills.settled()
        second = await layer.blobs.open(PAUSE, BIG_DIGEST, layer.deadline())
        assert second.source == "hit"
        assert await read_all(second) == BIG
        assert len(registry.asked("/blobs/", "GET")) == 1


async def test_many_readers_cost_one_download(tmp_path: Path) -> None:
    async with (
        FakeRegistry(bytes_per_second=20 * MIB) as registry,
        mirroring(tmp_path, registry.url) as layer,
    ):
        registry.put_blob("pause", BIG)
        got = await asyncio.gather(*(pull(layer) for _ in range(20)))
        assert all(one == BIG for one in got)
        assert registry.bytes_sent("/blobs/") == len(BIG)


@pytest.mark.rule("P3", "T-9")
async def test_a_mirror_that_says_the_blob_is_empty_is_asked_once(tmp_path: Path) -> None:
    async with (
        FakeRegistry() as empty,
        FakeRegistry() as good,
        mirroring(tmp_path, empty.url, good.url) as layer,
    ):
        for registry in (empty, good):
            registry.put_blob("pause", BIG)
        empty.content.repository("pause").blobs[str(BIG_DIGEST)] = b""
        async with asyncio.timeout(10):
            assert await pull(layer) == BIG
        assert len(empty.requests) == 1


async def test_a_length_that_no_blob_of_that_digest_has_ends_the_fill(tmp_path: Path) -> None:
    """It is a manifest's, so there is no mirror to set aside, and nothing to try again with."""
    async with FakeRegistry() as registry, mirroring(tmp_path, registry.url) as layer:
        registry.put_blob("pause", BIG)
        wanted = Wanted(BIG_DIGEST, layer.registry, PAUSE.repository, expected_size=0)
        fill, _ = layer.fills.join(wanted)
        async with asyncio.timeout(10):
            with pytest.raises(AllFailed, match="not 0 bytes long, as a manifest says"):
                await fill.wait_opened()


@pytest.mark.rule("P3")
@pytest.mark.parametrize("knows", [False, True], ids=["nobody knows", "a manifest knows"])
@pytest.mark.parametrize("said", [2 * MIB, 4 * MIB], ids=["too short", "too long"])
async def test_a_wrong_length_left_by_an_earlier_download_keeps_nobody_from_the_blob(
    tmp_path: Path, said: int, *, knows: bool
) -> None:
    """Some mirror had said so, and is gone; every other contradicts."""
    async with FakeRegistry() as registry, mirroring(tmp_path, registry.url) as layer:
        registry.put_blob("pause", BIG)
        partial = await layer.store.begin(BIG_DIGEST)
        partial.size = said
        await partial.write(0, BIG[:MIB])
        await partial.aclose()
        size = len(BIG) if knows else None
        wanted = Wanted(BIG_DIGEST, layer.registry, PAUSE.repository, expected_size=size)
        _ = layer.fills.join(wanted)
        assert await pull(layer) == BIG


@pytest.mark.rule("T-4")
async def test_a_client_that_was_cut_off_and_is_back_at_once_gets_a_new_fill(
    tmp_path: Path,
) -> None:
    async with FakeRegistry() as registry, mirroring(tmp_path, registry.url) as layer:
        registry.put_blob("pause", BIG)
        registry.fault(Fault("reset", path="/blobs/", after_bytes=2 * MIB, times=1))
        registry.fault(Fault("status", path="/blobs/", times=1))
        with pytest.raises(TransferBroken):
            await pull(layer)
        assert len(layer.fills) == 1  # on its way out
        assert await pull(layer) == BIG


@pytest.mark.rule("T-2")
async def test_a_mirror_that_stood_still_for_longer_than_a_fill_tries_is_asked_once_more(
    tmp_path: Path,
) -> None:
    async with (
        FakeRegistry() as registry,
        mirroring(tmp_path, registry.url, stall_s=0.2, give_up_s=0.1) as layer,
    ):
        registry.put_blob("pause", BIG)
        registry.fault(Fault("stall", path="/blobs/", after_bytes=2 * MIB, times=1))
        assert await pull(layer) == BIG
        assert len(registry.asked("/blobs/")) == 2


@pytest.mark.rule("T-9", "P8")
async def test_the_tail_is_held_back_until_the_digest_has_verified(tmp_path: Path) -> None:
    async with FakeRegistry() as registry, mirroring(tmp_path, registry.url) as layer:
        registry.put_blob("pause", BIG)
        registry.fault(Fault("stall", path="/blobs/", after_bytes=len(BIG) - 1))
        reader = await layer.blobs.open(PAUSE, BIG_DIGEST, layer.deadline())
        offset = 0
        while offset < len(BIG) - HELD_BACK_BYTES:
            offset = await reader.wait(offset)
        assert offset == len(BIG) - HELD_BACK_BYTES
        waiting = asyncio.ensure_future(reader.wait(offset))  # noqa: TID251 - awaited below
        await registry.until_sent(len(BIG) - 1, "/blobs/")
        assert not waiting.done()
        waiting.cancel()
        reader.close()


@pytest.mark.rule("T-9", "P8", "U-13")
async def test_a_wrong_byte_cuts_who_got_some_of_it_and_the_next_mirror_serves_the_next(
    tmp_path: Path,
) -> None:
    async with (
        FakeRegistry() as liar,
        FakeRegistry() as honest,
        mirroring(tmp_path, liar.url, honest.url) as layer,
    ):
        liar.put_blob("pause", BIG)
        honest.put_blob("pause", BIG)
        liar.fault(Fault("flip", path="/blobs/", after_bytes=7, times=None))
        with pytest.raises(TransferBroken):
            await pull(layer)
        assert await pull(layer) == BIG
        await layer.fills.settled()
        stored = await layer.store.get(BIG_DIGEST)
        assert stored is not None
        stored.close()
        assert len(liar.asked("/blobs/", "GET")) == 1


@pytest.mark.rule("T-9")
async def test_wrong_bytes_of_a_small_blob_go_unnoticed_by_its_readers(tmp_path: Path) -> None:
    digest = Digest.of(SMALL)
    async with (
        FakeRegistry() as liar,
        FakeRegistry() as honest,
        mirroring(tmp_path, liar.url, honest.url) as layer,
    ):
        liar.put_blob("pause", SMALL)
        honest.put_blob("pause", SMALL)
        liar.fault(Fault("flip", path="/blobs/", after_bytes=0, times=None))
        assert await pull(layer, digest) == SMALL


@pytest.mark.parametrize(
    "fault",
    [
        Fault("reset", path="/blobs/", after_bytes=MIB, times=None),
        Fault("truncate", path="/blobs/", after_bytes=2 * MIB + 1, times=None),
        Fault("stall", path="/blobs/", after_bytes=MIB + 17, times=None),
        Fault("refuse", path="/blobs/", times=None),
        Fault("html", path="/blobs/", times=None),
        Fault("status", path="/blobs/", status=500, times=None),
        Fault("status", path="/blobs/", status=403, times=None),
        Fault("status", path="/blobs/", status=404, times=None),
        Fault("gzip", path="/blobs/", times=None),
        Fault("redirect_loop", path="/blobs/", times=None),
    ],
    ids=lambda fault: f"{fault.kind}-{fault.status}",
)
@pytest.mark.rule("T-2", "P3", "P4", "P12")
async def test_the_next_mirror_goes_on_and_readers_notice_nothing(
    tmp_path: Path, fault: Fault
) -> None:
    async with (
        FakeRegistry() as broken,
        FakeRegistry() as honest,
        mirroring(tmp_path, broken.url, honest.url, stall_s=0.15) as layer,
    ):
        broken.put_blob("pause", BIG)
        honest.put_blob("pause", BIG)
        broken.fault(fault)
        got = await asyncio.gather(pull(layer), pull(layer))
        assert all(one == BIG for one in got)
        assert honest.bytes_sent("/blobs/") <= len(BIG)


@pytest.mark.parametrize("by", [5, -5])
@pytest.mark.rule("P4", "O-2")
async def test_a_wrong_length_is_noticed_before_the_first_byte_where_a_manifest_tells_it(
    tmp_path: Path, by: int
) -> None:
    picture = image(layers=[len(BIG)])
    layer_digest = Digest.of(picture.layers[0])
    async with (
        FakeRegistry() as liar,
        FakeRegistry() as honest,
        mirroring(tmp_path, liar.url, honest.url) as layer,
    ):
        for registry in (liar, honest):
            registry.put_image("pause", "3.1", picture)
        liar.fault(Fault("wrong_length", path="/blobs/", by=by, times=None))
        await layer.tags.get(PAUSE, Tag("3.1"), layer.deadline())
        assert await pull(layer, layer_digest) == picture.layers[0]
        assert honest.bytes_sent("/blobs/") == len(BIG)


@pytest.mark.parametrize("by", [5, -5])
@pytest.mark.rule("P4", "T-3")
async def test_a_wrong_length_that_nobody_could_know_costs_one_pull(
    tmp_path: Path, by: int
) -> None:
    async with (
        FakeRegistry() as liar,
        FakeRegistry() as honest,
        mirroring(tmp_path, liar.url, honest.url) as layer,
    ):
        for registry in (liar, honest):
            registry.put_blob("pause", BIG)
        liar.fault(Fault("wrong_length", path="/blobs/", by=by, times=None))
        with pytest.raises(TransferBroken):
            await pull(layer)
        assert await pull(layer) == BIG


@pytest.mark.parametrize("kind", ["ignore_range", "wrong_content_range"])
@pytest.mark.rule("P12", "U-4")
async def test_a_mirror_that_cannot_resume_is_passed_over(tmp_path: Path, kind: FaultKind) -> None:
    data = blob(12 * MIB, "beyond what is skipped through")
    async with (
        FakeRegistry() as broken,
        FakeRegistry() as cannot,
        FakeRegistry() as honest,
        mirroring(tmp_path, broken.url, cannot.url, honest.url) as layer,
    ):
        for registry in (broken, cannot, honest):
            registry.put_blob("pause", data)
        broken.fault(Fault("reset", path="/blobs/", after_bytes=10 * MIB))
        cannot.fault(Fault(kind, path="/blobs/", times=None))
        assert await pull(layer, Digest.of(data)) == data


async def test_a_fill_outlives_the_reader_that_started_it(tmp_path: Path) -> None:
    async with FakeRegistry() as registry, mirroring(tmp_path, registry.url) as layer:
        registry.put_blob("pause", BIG)
        reader = await layer.blobs.open(PAUSE, BIG_DIGEST, layer.deadline())
        reader.close()
        assert await pull(layer) == BIG
        assert registry.bytes_sent("/blobs/") == len(BIG)


@pytest.mark.rule("T-6", "L-3")
async def test_a_range_of_a_blob_being_filled(tmp_path: Path) -> None:
    async with FakeRegistry() as registry, mirroring(tmp_path, registry.url) as layer:
        registry.put_blob("pause", BIG)
        reader = await layer.blobs.open(PAUSE, BIG_DIGEST, layer.deadline())
        assert await read_all(reader, 2 * MIB, 2 * MIB + 100) == BIG[2 * MIB : 2 * MIB + 100]


@pytest.mark.rule("F-9", "E-2", "P18", "C-20")
async def test_a_blob_that_no_mirror_has_is_unknown_to_every_waiter(tmp_path: Path) -> None:
    async with (
        FakeRegistry() as one,
        FakeRegistry() as two,
        mirroring(tmp_path, one.url, two.url) as layer,
    ):
        outcomes = await asyncio.gather(pull(layer), pull(layer), return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [BlobUnknown, BlobUnknown]
        assert isinstance(outcomes[0], BlobUnknown)
        assert [attempt.mirror for attempt in outcomes[0].attempts] == ["mirror0", "mirror1"]


@pytest.mark.rule("E-3", "P31")
async def test_an_unreachable_mirror_is_not_the_same_as_not_found(tmp_path: Path) -> None:
    async with (
        FakeRegistry() as one,
        mirroring(tmp_path, "http://127.0.0.1:1", one.url) as layer,
    ):
        with pytest.raises(AllFailed) as caught:
            await pull(layer)
        assert {a.outcome for a in caught.value.attempts} == {"unreachable", "not found"}


async def test_the_last_liar_fails_the_pull_and_leaves_nothing_wrong_behind(
    tmp_path: Path,
) -> None:
    async with FakeRegistry() as liar, mirroring(tmp_path, liar.url) as layer:
        liar.put_blob("pause", BIG)
        liar.fault(Fault("flip", path="/blobs/", after_bytes=-1, times=None))
        with pytest.raises(TransferBroken):
            await pull(layer)
        await layer.fills.settled()
        assert await layer.store.size(BIG_DIGEST) is None
        assert len(liar.asked("/blobs/", "GET")) == 1


async def test_the_only_mirror_may_come_back_in_time(tmp_path: Path) -> None:
    async with (
        FakeRegistry(bytes_per_second=8 * MIB) as registry,
        mirroring(tmp_path, registry.url, give_up_s=30.0) as layer,
    ):
        registry.put_blob("pause", BIG)
        pulling = asyncio.ensure_future(pull(layer))  # noqa: TID251 - awaited below
        await registry.until_sent(MIB, "/blobs/")
        await registry.stop()
        await registry.start()
        assert await pulling == BIG
        assert registry.bytes_sent("/blobs/") < 1.5 * len(BIG)


async def test_a_stopped_fill_goes_on_where_it_was(tmp_path: Path) -> None:
    async with FakeRegistry() as registry:
        registry.put_blob("pause", BIG)
        registry.fault(Fault("stall", path="/blobs/", after_bytes=2 * MIB))
        async with mirroring(tmp_path, registry.url) as layer:
            reader = await layer.blobs.open(PAUSE, BIG_DIGEST, layer.deadline())
            offset = 0
            while offset < 2 * MIB:
                offset = await reader.wait(offset)
            reader.close()
        async with mirroring(tmp_path, registry.url) as layer:
            assert await pull(layer) == BIG
        assert registry.asked("/blobs/", "GET")[-1].headers["Range"] == f"bytes={2 * MIB}-"


async def test_an_unsaid_length_is_streamed_until_the_end(tmp_path: Path) -> None:
    digest = Digest.of(b"")
    async with FakeRegistry() as registry, mirroring(tmp_path, registry.url) as layer:
        registry.put_blob("pause", b"")
        assert await pull(layer, digest) == b""
