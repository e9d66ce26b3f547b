"""Images fetched ahead: all of each for the platforms wanted, or a reason why not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from entrepot.mirror.names import NameTable
from entrepot.mirror.prefetch import Means, Prefetch
from entrepot.mirror.prefetchjob import Job, Order, State
from entrepot.mirror.watermarks import Limits
from fakes.fault import Fault
from fakes.images import artifact, image, index, sha256
from fakes.registry import FakeRegistry
from mirroring import REGISTRY, Mirroring, mirroring

NAME = f"{REGISTRY}/pause:1"
PARTS = [image("p", platform=each) for each in ("linux/amd64", "linux/arm64/v8", "linux/s390x")]
ALL = index(PARTS)


class Rests(list[float]):
    """Rests that take no time; with `until` the first one lasts until that is set."""

    def __init__(self) -> None:
        self.happens = asyncio.Event()
        self.until = asyncio.Event()
        self.until.set()

    async def __call__(self, seconds: float) -> None:
        self.append(seconds)
        self.happens.set()
        await self.until.wait()


@asynccontextmanager
async def fetching(
    path: Path, mirror: str, limits: Limits | None = None, *, offline: bool = False
) -> AsyncIterator[tuple[Mirroring, Prefetch, Rests]]:
    async with mirroring(path, mirror, limits=limits, offline=offline) as mirrored:
        rests = Rests()
        names = NameTable({REGISTRY: ["short"]})
        prefetch = Prefetch(
            Means(names, mirrored.tags, mirrored.blobs, 5.0), rests_s=(1.0, 2.0), sleep=rests
        )
        prefetch.courtesy.quiet_s = 0.0
        try:
            yield mirrored, prefetch, rests
        finally:
            await prefetch.aclose()


async def ended(
    prefetch: Prefetch,
    *names: str,
    platforms: tuple[str, ...] = (),
    order: Order | None = None,
) -> Job:
    job = prefetch.start(order or Order(names, platforms))
    async with asyncio.timeout(20):
        while not job.ended:
            await job.heard(1.0)
    return job


@pytest.fixture
async def mirror() -> AsyncIterator[FakeRegistry]:
    async with FakeRegistry() as mirror:
        mirror.put_image("pause", "1", ALL)
        yield mirror


async def test_all_of_an_image_is_fetched_for_the_platforms_wanted(
    tmp_path: Path, mirror: FakeRegistry
) -> None:
    async with fetching(tmp_path, mirror.url) as (mirrored, prefetch, _):
        job = await ended(prefetch, "short/pause:1", platforms=("linux/arm64", "linux/amd64"))
        [item] = job.items
        assert (item.name, item.state, item.digest) == (NAME, State.DONE, ALL.digest)
        wanted = {sha256(data) for one in PARTS[:2] for data in one.blobs}
        assert set(await mirrored.store.sizes(wanted)) == wanted
        assert await mirrored.store.size(sha256(PARTS[2].layers[0])) is None
        progress = prefetch.progress(job)
        expected = sum(len(data) for one in PARTS[:2] for data in one.blobs)
        assert (progress.bytes, progress.bytes_total, item.fetched_bytes) == (expected,) * 3
        mirror.clear()
        again = await ended(prefetch, NAME, platforms=("linux/arm64",))
        assert again.items[0].state is State.DONE
        assert mirror.requests == []
        assert prefetch.progress(again).bytes_total == 0
        assert [each.number for each in prefetch.jobs()] == [1, 2]


async def test_without_platforms_all_are_meant_also_by_digest(
    tmp_path: Path, mirror: FakeRegistry
) -> None:
    async with fetching(tmp_path, mirror.url) as (mirrored, prefetch, _):
        job = await ended(prefetch, f"{REGISTRY}/pause@{ALL.digest}")
        assert job.items[0].state is State.DONE
        wanted = {sha256(data) for one in PARTS for data in one.blobs}
        assert set(await mirrored.store.sizes(wanted)) == wanted


async def test_a_platform_that_is_not_there_is_told_before_anything_is_fetched(
    tmp_path: Path, mirror: FakeRegistry
) -> None:
    mirror.put_image("pause", "single", PARTS[0])
    async with fetching(tmp_path, mirror.url) as (_, prefetch, _):
        job = await ended(prefetch, NAME, platforms=("linux/arm64", "linux/ppc64le"))
        assert job.items[0].reason == (
            f"{NAME} has no linux/ppc64le: it has linux/amd64, linux/arm64/v8, linux/s390x"
        )
        assert not mirror.asked("/blobs/")
        single = f"{REGISTRY}/pause:single"
        job = await ended(prefetch, single, platforms=("linux/arm64",))
        assert job.items[0].reason == f"{single} is not for linux/arm64: linux/amd64 is here"


async def test_artifacts_are_for_every_platform(tmp_path: Path, mirror: FakeRegistry) -> None:
    mirror.put_image("pause", "chart", artifact(payload=b"chart"))
    async with fetching(tmp_path, mirror.url) as (_, prefetch, _):
        job = await ended(prefetch, f"{REGISTRY}/pause:chart", platforms=("linux/arm64",))
        assert job.items[0].state is State.DONE


async def test_one_that_cannot_be_had_does_not_keep_the_others(
    tmp_path: Path, mirror: FakeRegistry
) -> None:
    async with fetching(tmp_path, mirror.url) as (_, prefetch, rests):
        names = ("no tag", f"{REGISTRY}/none:1", "quay.io/a:1", NAME)
        job = await ended(prefetch, *names, platforms=("linux/amd64",))
        assert [item.state for item in job.items] == [*[State.FAILED] * 3, State.DONE]
        assert "not served here" in job.items[2].reason
        assert rests == []


async def test_a_mirror_that_comes_back_is_asked_again(
    tmp_path: Path, mirror: FakeRegistry
) -> None:
    async with fetching(tmp_path, mirror.url) as (_, prefetch, rests):
        await mirror.stop()
        rests.until.clear()
        job = prefetch.start(Order((NAME,), ("linux/amd64",)))
        await asyncio.wait_for(rests.happens.wait(), 10)
        await mirror.start()
        rests.until.set()
        while not job.ended:
            await job.heard(1.0)
        assert [item.state for item in job.items] == [State.DONE]
        assert job.items[0].tries > 1


async def test_in_the_end_it_is_given_up(tmp_path: Path, mirror: FakeRegistry) -> None:
    async with fetching(tmp_path, mirror.url) as (_, prefetch, rests):
        await mirror.stop()
        job = await ended(prefetch, NAME)
        assert (job.items[0].state, job.items[0].tries) == (State.FAILED, 3)
        assert rests == [1.0, 2.0]


async def test_who_waits_is_told_soon_that_no_mirror_can_be_reached(
    tmp_path: Path, mirror: FakeRegistry
) -> None:
    """The first two images of a round show it, and nobody is asked for the others."""
    names = tuple(f"{REGISTRY}/pause:{tag}" for tag in range(5))
    async with fetching(tmp_path, mirror.url) as (_, prefetch, rests):
        await mirror.stop()
        job = await ended(prefetch, order=Order(names, patient=False))
        assert {item.state for item in job.items} == {State.FAILED}
        asked = ["no mirror could answer" in item.reason for item in job.items]
        assert asked == [True, True, False, False, False]
        assert "can be reached: not asked" in job.items[-1].reason
        assert rests == [1.0]


async def test_who_waits_waits_for_a_mirror_that_answers_anything(
    tmp_path: Path, mirror: FakeRegistry
) -> None:
    async with fetching(tmp_path, mirror.url) as (_, prefetch, rests):
        mirror.fault(Fault("status", path="/manifests/", status=500, times=None))
        job = await ended(prefetch, order=Order((NAME,), patient=False))
        assert (job.items[0].state, rests) == (State.FAILED, [1.0, 2.0])


async def test_what_is_only_wanted_is_neither_waited_for_nor_counted(
    tmp_path: Path, mirror: FakeRegistry
) -> None:
    async with fetching(tmp_path, mirror.url) as (_, prefetch, rests):
        other = f"{REGISTRY}/pause:old"
        mirror.fault(Fault("status", path="/manifests/old", status=500, times=None))
        order = Order((NAME, other), ("linux/amd64",), extras=frozenset({other}))
        job = await ended(prefetch, order=order)
        assert [item.state for item in job.items] == [State.DONE, State.FAILED]
        assert "answered 500" in job.items[1].reason
        assert (job.failed, job.progress().failed, rests) == ([], 0, [])


async def test_a_blob_nobody_has_fails_its_image(tmp_path: Path, mirror: FakeRegistry) -> None:
    gone = f"/blobs/{sha256(PARTS[0].layers[0])}"
    mirror.fault(Fault("status", path=gone, status=404, times=None))
    async with fetching(tmp_path, mirror.url) as (mirrored, prefetch, _):
        job = await ended(prefetch, NAME, platforms=("linux/amd64",))
        assert job.items[0].state is State.FAILED
        assert job.items[0].reason
        assert len(mirrored.fills) == 0


async def test_cancelled_it_leaves_nothing_running_and_goes_on_the_next_time(
    tmp_path: Path, mirror: FakeRegistry
) -> None:
    big = image("big", layers=(1_000_000,))
    mirror.put_image("pause", "big", big)
    mirror.bytes_per_second = 400_000.0
    async with fetching(tmp_path, mirror.url) as (mirrored, prefetch, _):
        job = prefetch.start(Order((f"{REGISTRY}/pause:big",)))
        async with asyncio.timeout(10):
            while prefetch.progress(job).bytes < 200_000:
                await job.heard(0.05)
        assert await prefetch.cancel(job.number) is job
        assert (job.ended, job.cancelled, len(mirrored.fills)) == (True, True, 0)
        assert await prefetch.cancel(99) is None
        assert len(mirrored.fills.room.leases) == 0
        mirror.bytes_per_second = None
        mirror.clear()
        job = await ended(prefetch, f"{REGISTRY}/pause:big")
        assert job.items[0].state is State.DONE
        digest = sha256(big.layers[0])
        ranges = [r.headers.get("Range") for r in mirror.asked(str(digest), "GET")]
        assert ranges
        assert all(each is not None and not each.startswith("bytes=0-") for each in ranges)
        assert 0 < job.items[0].fetched_bytes <= mirror.bytes_sent("/blobs/") < 1_000_000 - 100_000


async def test_what_is_more_than_the_cache_may_have_is_refused(
    tmp_path: Path, mirror: FakeRegistry
) -> None:
    mirror.put_image("pause", "big", image("big", layers=(3_000_000,)))
    async with fetching(tmp_path, mirror.url, Limits(max_size=1_000_000)) as (_, prefetch, _):
        job = await ended(prefetch, f"{REGISTRY}/pause:big")
        assert job.items[0].state is State.FAILED
        assert "the cache may have 1000000" in job.items[0].reason
        assert not mirror.asked("/blobs/")


async def test_offline_nothing_is_asked(tmp_path: Path, mirror: FakeRegistry) -> None:
    async with fetching(tmp_path, mirror.url, offline=True) as (_, prefetch, rests):
        job = await ended(prefetch, NAME)
        assert job.items[0].state is State.FAILED
        assert "offline" in job.items[0].reason
        assert (mirror.requests, rests) == ([], [])


async def test_jobs_that_have_ended_are_forgotten_in_the_end(
    tmp_path: Path, mirror: FakeRegistry
) -> None:
    async with fetching(tmp_path, mirror.url, offline=True) as (_, prefetch, _):
        for _ in range(25):
            await ended(prefetch, "no tag")
        assert len(prefetch.jobs()) <= 21


async def test_a_registry_that_a_reload_takes_out_meanwhile_leaves_nothing_undecided(
    tmp_path: Path,
) -> None:
    async with (
        FakeRegistry() as registry,
        fetching(tmp_path, registry.url) as (layer, ahead, rests),
    ):
        registry.fault(Fault("refuse", times=None, delay=0.2))
        rests.until.clear()
        job = ahead.start(Order((NAME,), patient=False))
        await rests.happens.wait()
        asked = len(registry.requests)
        rests.until.set()
        _ = await registry.until_asked(count=asked + 1)
        manifests = replace(layer.manifests, registries={})
        blobs = replace(layer.blobs, registries={}, manifests=manifests)
        ahead.means = replace(ahead.means, blobs=blobs)
        async with asyncio.timeout(20):
            while not job.ended:
                await job.heard(1.0)
    assert [item.state for item in job.items] == [State.FAILED]
