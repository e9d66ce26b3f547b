"""Limits, breakers and blame, as a mirror's client shows them."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from connecting import connected
from entrepot.errors import (
    AttemptError,
    MirrorDenied,
    MirrorFailed,
    MirrorNotFound,
    MirrorThrottled,
    MirrorUnreachable,
)
from entrepot.oci.digest import Digest
from entrepot.oci.reference import RepositoryName, Tag
from entrepot.upstream import hosts
from entrepot.upstream.blobstream import BlobStream
from entrepot.upstream.limits import Kind
from entrepot.upstream.mirror import MirrorClient
from fakes.images import blob, image
from fakes.registry import FakeRegistry, Fault

PAUSE, TAG = RepositoryName("pause"), Tag("3.1")


def now() -> float:
    return asyncio.get_running_loop().time()


async def failure(mirror: MirrorClient, digest: Digest) -> AttemptError:
    with pytest.raises(AttemptError) as caught:
        await (await mirror.open_blob(PAUSE, digest)).aclose()
    return caught.value


async def drain(stream: BlobStream) -> None:
    while await stream.read():
        pass


async def test_over_the_requests_a_minute_nothing_is_sent() -> None:
    async with (
        FakeRegistry() as registry,
        connected(registry.url, limits={"requests_per_minute": 2}) as mirror,
    ):
        registry.put_image("pause", "3.1", image(1))
        assert mirror.ready_in(now()) == 0
        await mirror.head_manifest(PAUSE, TAG)
        await mirror.get_manifest(PAUSE, TAG)
        with pytest.raises(MirrorThrottled, match="2 requests in 60 s") as caught:
            await mirror.head_manifest(PAUSE, TAG)
        assert not caught.value.asked
        assert len(registry.requests) == 2
        assert mirror.ready_in(now()) > 50
        mirror.health.record_failure(caught.value, now())
        assert mirror.health.available(now())


async def test_requests_repeated_with_a_token_count_too() -> None:
    async with (
        FakeRegistry(token_auth=True) as registry,
        connected(registry.url, limits={"requests_per_minute": 2}) as mirror,
    ):
        registry.put_image("pause", "3.1", image(1))
        await mirror.head_manifest(PAUSE, TAG)
        assert len(registry.asked("/manifests/")) == 2
        with pytest.raises(MirrorThrottled):
            await mirror.head_manifest(PAUSE, TAG)


async def test_over_the_bytes_in_a_window_no_blob_is_asked_for() -> None:
    async with (
        FakeRegistry() as registry,
        connected(registry.url, limits={"bytes": "1KiB/2h"}) as mirror,
    ):
        digest = registry.put_blob("pause", blob(2000))
        registry.put_image("pause", "3.1", image(1))
        stream = await mirror.open_blob(PAUSE, digest)
        await drain(stream)
        await stream.aclose()
        assert isinstance(await failure(mirror, digest), MirrorThrottled)
        assert mirror.ready_in(now()) > 7000
        assert mirror.ready_in(now(), Kind.TAG) == 0
        await mirror.head_manifest(PAUSE, TAG)


async def test_after_too_many_failures_tags_are_not_asked_for() -> None:
    async with (
        FakeRegistry() as registry,
        connected(registry.url, limits={"failures": "1/2d"}) as mirror,
    ):
        digest = registry.put_blob("pause", blob(100))
        with pytest.raises(MirrorNotFound):
            await mirror.head_manifest(PAUSE, TAG)
        with pytest.raises(MirrorThrottled, match="answers without content"):
            await mirror.head_manifest(PAUSE, TAG)
        await (await mirror.open_blob(PAUSE, digest)).aclose()


@pytest.mark.rule("U-9")
async def test_the_last_pull_is_kept_and_heads_stay_free() -> None:
    async with FakeRegistry(ratelimit=(3, 3600)) as registry, connected(registry.url) as mirror:
        registry.put_image("pause", "3.1", image(1))
        for _ in range(2):
            await mirror.get_manifest(PAUSE, TAG)
        with pytest.raises(MirrorThrottled, match="1 of 3 pulls left there; the window ends"):
            await mirror.get_manifest(PAUSE, TAG)
        await mirror.head_manifest(PAUSE, TAG)
        assert len(registry.asked("/manifests/", method="GET")) == 2
        assert 3500 < mirror.ready_in(now(), Kind.TAG) <= 3600
        assert mirror.ready_in(now()) == 0


async def test_a_stream_keeps_its_place_until_it_is_closed() -> None:
    async with (
        FakeRegistry() as registry,
        connected(registry.url, limits={"concurrency": 1, "streams": 3}) as mirror,
    ):
        assert mirror.streams == 3
        digest = registry.put_blob("pause", blob(100))
        stream = await mirror.open_blob(PAUSE, digest)
        assert mirror.ready_in(now()) > 0
        await stream.aclose()
        await stream.aclose()
        assert mirror.ready_in(now()) == 0
        registry.fault(Fault("status", status=503))
        await failure(mirror, digest)
        assert mirror.ready_in(now()) == 0


async def test_a_ceiling_slows_streams_down_and_loses_nothing() -> None:
    data = blob(100_000)
    async with (
        FakeRegistry() as registry,
        connected(registry.url, limits={"bandwidth": "400KiB/s"}) as mirror,
    ):
        digest = registry.put_blob("pause", data)
        began = now()
        stream = await mirror.open_blob(PAUSE, digest)
        got = b""
        while piece := await stream.read():
            assert len(piece) <= 102_400
            got += piece
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.001):
                    await stream.read()
        await stream.aclose()
        assert got == data
        assert now() - began >= (len(data) - 102_400 // 4) / 409_600 / 2


@pytest.mark.parametrize("seconds", [None, 90.0])
async def test_patience_is_told(seconds: float | None) -> None:
    async with connected("http://127.0.0.1:9", patience=seconds) as mirror:
        assert mirror.patience_s == seconds


async def test_a_blob_store_that_is_down_is_not_the_registrys_fault() -> None:
    async with FakeRegistry(redirect_blobs_to="cdn") as registry, connected(registry.url) as mirror:
        first, other = (registry.put_blob("pause", blob(n)) for n in (100, 200))
        registry.put_image("pause", "3.1", image(1))
        await registry.cdn.stop()
        with capture_logs() as logs:
            down = await failure(mirror, first)
            assert isinstance(down, MirrorUnreachable)
            assert (down.elsewhere, down.asked) == (registry.cdn.host, True)
            mirror.health.record_failure(down, now())
            assert mirror.health.available(now())
            await mirror.head_manifest(PAUSE, TAG)
            refused = await failure(mirror, other)
            assert "is set aside for 10 s" in str(refused)
            assert not refused.asked
            await registry.cdn.start()
            await (await mirror.open_blob(PAUSE, other)).aclose()  # nobody else has it
        assert [(entry["event"], entry["host"]) for entry in logs] == [
            ("mirror.opened", registry.cdn.host),
            ("mirror.closed", registry.cdn.host),
        ]
        assert "no connection" in logs[0]["reason"]
        assert logs[0]["seconds"] == 10


async def test_a_blob_store_that_breaks_off_or_fails_is_to_blame_too() -> None:
    async with FakeRegistry(redirect_blobs_to="cdn") as registry, connected(registry.url) as mirror:
        digest = registry.put_blob("pause", blob(1000))
        registry.cdn.fault(Fault("truncate", after_bytes=400))
        stream = await mirror.open_blob(PAUSE, digest)
        with pytest.raises(MirrorUnreachable) as caught:
            await drain(stream)
        await stream.aclose()
        assert caught.value.elsewhere == registry.cdn.host
    async with FakeRegistry(redirect_blobs_to="cdn") as registry, connected(registry.url) as mirror:
        digest = registry.put_blob("pause", blob(1000))
        registry.cdn.fault(Fault("status", status=503, times=None))
        for _ in range(3):
            error = await failure(mirror, digest)
            assert isinstance(error, MirrorFailed)
            assert error.elsewhere == registry.cdn.host
        assert not (await failure(mirror, digest)).asked


async def test_an_answer_of_the_blob_store_closes_its_breaker() -> None:
    async with FakeRegistry(redirect_blobs_to="cdn") as registry, connected(registry.url) as mirror:
        digest = registry.put_blob("pause", blob(1000))
        registry.cdn.fault(Fault("status", status=503, times=2))
        for _ in range(2):
            await failure(mirror, digest)
        registry.fault(Fault("expired_url", times=2))
        assert isinstance(await failure(mirror, digest), MirrorDenied)
        registry.cdn.fault(Fault("status", status=503, times=2))
        for _ in range(2):
            assert (await failure(mirror, digest)).asked


async def test_silence_behind_a_redirect_is_the_blob_stores(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hosts, "_LONG_S", 0.05)
    async with FakeRegistry(redirect_blobs_to="cdn") as registry, connected(registry.url) as mirror:
        digest = registry.put_blob("pause", blob(1000))
        registry.cdn.fault(Fault("silent", times=None))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await mirror.open_blob(PAUSE, digest)
        silence = mirror.silence(1.05)
        assert silence.elsewhere == registry.cdn.host
        assert str(silence) == "no answer within 1.1 s"
        assert not (await failure(mirror, digest)).asked
        assert mirror.silence(2.0).elsewhere == ""
        assert mirror.ready_in(now()) == 0


async def test_the_mirrors_own_transitions_are_logged() -> None:
    async with FakeRegistry() as registry, connected(registry.url, name="near") as mirror:
        with capture_logs() as logs:
            mirror.health.record_failure(MirrorUnreachable("gone"), now())
            mirror.health.record_success(now())
        assert logs == [
            {
                "event": "mirror.opened",
                "log_level": "warning",
                "registry": "registry.example",
                "mirror": "near",
                "reason": "gone",
                "seconds": 10.0,
            },
            {
                "event": "mirror.closed",
                "log_level": "info",
                "registry": "registry.example",
                "mirror": "near",
            },
        ]


async def test_latencies_are_kept_apart_by_kind() -> None:
    async with FakeRegistry() as registry, connected(registry.url) as mirror:
        digest = registry.put_blob("pause", blob(10))
        registry.put_image("pause", "3.1", image(1))
        for _ in range(5):
            await mirror.head_manifest(PAUSE, TAG)
        assert mirror.health.latency_percentile("manifest", 0.9) is not None
        assert mirror.health.latency_percentile("blob", 0.9) is None
        for _ in range(5):
            await mirror.head_blob(PAUSE, digest)
        assert mirror.health.latency_percentile("blob", 0.9) is not None
