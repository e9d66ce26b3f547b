"""One mirror asked in the registry's names: what it answers, and what is made of lies."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Literal

import pytest

from connecting import connected, replying
from entrepot.errors import (
    MirrorDenied,
    MirrorFailed,
    MirrorLied,
    MirrorNotFound,
    MirrorSilent,
    MirrorThrottled,
    MirrorUnreachable,
)
from entrepot.oci.digest import Digest
from entrepot.oci.mediatype import DOCKER_LIST, OCI_INDEX, SCHEMA1_SIGNED
from entrepot.oci.reference import RepositoryName, Tag
from entrepot.upstream.blobstream import BlobStream
from entrepot.upstream.quota import Quota
from fakes.images import artifact, blob, image, index
from fakes.registry import FakeRegistry, Fault
from fakes.schema1 import signed_manifest

PAUSE = RepositoryName("pause")
TAG = Tag("3.1")
MIB = 1 << 20


async def everything(stream: BlobStream) -> bytes:
    pieces = []
    try:
        while piece := await stream.read():
            pieces.append(piece)
    finally:
        await stream.aclose()
    return b"".join(pieces)


@pytest.mark.rule("U-1", "C-13", "U-9")
async def test_head_tells_digest_type_and_size_under_the_full_accept() -> None:
    both = index([image(1), image(1, platform="linux/arm64")], flavour="oci")
    async with FakeRegistry() as registry, connected(registry.url) as mirror:
        registry.put_image("pause", "3.1", both)
        head = await mirror.head_manifest(PAUSE, TAG)
        assert (head.digest, head.media_type) == (both.digest, OCI_INDEX)
        assert head.size == len(both.manifest)
        assert [one.method for one in registry.requests] == ["HEAD"]


@pytest.mark.rule("F-1", "U-1")
async def test_get_brings_the_exact_bytes_by_tag_and_by_digest() -> None:
    both = index([image(1), image(1, platform="linux/arm64")])
    async with FakeRegistry() as registry, connected(registry.url) as mirror:
        registry.put_image("pause", "3.1", both)
        by_tag = await mirror.get_manifest(PAUSE, TAG)
        by_digest = await mirror.get_manifest(PAUSE, both.digest)
        assert by_tag == by_digest
        assert (by_tag.body, by_tag.media_type) == (both.manifest, DOCKER_LIST)


async def test_repositories_and_tags_go_by_the_mirrors_own_names() -> None:
    async with (
        FakeRegistry() as registry,
        connected(
            registry.url,
            repository="google_containers/{name}",
            only=["coredns/*"],
            tags=[{"repository": "coredns/coredns", "match": "v(.*)", "replace": r"\1"}],
        ) as mirror,
    ):
        pushed = registry.put_image("google_containers/coredns", "1.6.7", image(1))
        name = RepositoryName("coredns/coredns")
        head = await mirror.head_manifest(name, Tag("v1.6.7"))
        assert head.digest == pushed
        assert mirror.upstream_name(name) == "google_containers/coredns"
        assert mirror.carries(name)
        assert not mirror.carries(PAUSE)
        registry.clear()
        with pytest.raises(MirrorNotFound, match="does not carry"):
            await mirror.head_manifest(PAUSE, TAG)
        assert registry.requests == []


async def test_a_path_in_the_url_stands_before_the_api() -> None:
    async with FakeRegistry() as registry, connected(f"{registry.url}/some/where") as mirror:
        with pytest.raises(MirrorNotFound):
            await mirror.get_manifest(PAUSE, TAG)
        assert registry.requests[0].path == "/some/where/v2/pause/manifests/3.1"


async def test_what_is_not_there_is_not_found() -> None:
    async with FakeRegistry() as registry, connected(registry.url) as mirror:
        missing = Digest.of(b"missing")
        with pytest.raises(MirrorNotFound, match=r"answered 404 \(NAME_UNKNOWN: ") as caught:
            await mirror.get_manifest(PAUSE, TAG)
        assert caught.value.status == 404
        with pytest.raises(MirrorNotFound):
            await mirror.head_manifest(PAUSE, missing)
        with pytest.raises(MirrorNotFound):
            await mirror.head_blob(PAUSE, missing)
        with pytest.raises(MirrorNotFound):
            await mirror.open_blob(PAUSE, missing)


@pytest.mark.rule("P8")
@pytest.mark.parametrize("ask", ["head", "get", "blob head", "blob", "tags", "referrers"])
async def test_a_block_page_is_a_lie_whatever_was_asked(ask: str) -> None:
    async with FakeRegistry() as registry, connected(registry.url) as mirror:
        digest = registry.put_image("pause", "3.1", image(1))
        registry.fault(Fault("html", times=None))
        questions: dict[str, Callable[[], Awaitable[object]]] = {
            "head": lambda: mirror.head_manifest(PAUSE, TAG),
            "get": lambda: mirror.get_manifest(PAUSE, TAG),
            "blob head": lambda: mirror.head_blob(PAUSE, digest),
            "blob": lambda: mirror.open_blob(PAUSE, digest),
            "tags": lambda: mirror.list_tags(PAUSE),
            "referrers": lambda: mirror.get_referrers(PAUSE, digest),
        }
        with pytest.raises(MirrorLied):
            await questions[ask]()


@pytest.mark.rule("U-13")
async def test_a_manifest_that_is_not_what_the_header_says_is_a_lie() -> None:
    async with FakeRegistry() as registry, connected(registry.url) as mirror:
        digest = registry.put_image("pause", "3.1", image(1))
        registry.fault(Fault("flip", after_bytes=60, times=2))
        with pytest.raises(MirrorLied):
            await mirror.get_manifest(PAUSE, TAG)
        with pytest.raises(MirrorLied):
            await mirror.get_manifest(PAUSE, digest)
        assert (await mirror.get_manifest(PAUSE, digest)).digest == digest


@pytest.mark.rule("U-13")
async def test_without_a_digest_header_the_bytes_name_themselves() -> None:
    async with FakeRegistry(digest_header=False) as registry, connected(registry.url) as mirror:
        digest = registry.put_image("pause", "3.1", image(1))
        assert (await mirror.head_manifest(PAUSE, TAG)).digest is None
        assert (await mirror.get_manifest(PAUSE, TAG)).digest == digest


@pytest.mark.rule("U-2")
async def test_a_manifest_compressed_unasked_is_undone_and_proved() -> None:
    async with FakeRegistry(gzip_manifests=True) as registry, connected(registry.url) as mirror:
        digest = registry.put_image("pause", "3.1", image(1))
        manifest = await mirror.get_manifest(PAUSE, TAG)
        assert (manifest.digest, manifest.body) == (digest, image(1).manifest)
        assert registry.requests[0].headers.getall("Accept-Encoding") == ["identity"]
        assert (await mirror.head_manifest(PAUSE, TAG)).size is None


@pytest.mark.rule("F-3")
async def test_a_signed_schema1_manifest_is_taken_under_its_payloads_digest() -> None:
    signed = signed_manifest("pause", "3.1")
    async with FakeRegistry() as registry, connected(registry.url) as mirror:
        registry.put_image("pause", "3.1", signed)
        manifest = await mirror.get_manifest(PAUSE, TAG)
        assert (manifest.digest, manifest.media_type) == (signed.digest, SCHEMA1_SIGNED)
        assert (await mirror.get_manifest(PAUSE, signed.digest)).body == signed.manifest


@pytest.mark.rule("C-15")
async def test_a_manifest_beyond_the_cap_is_not_read() -> None:
    huge = json.dumps({"schemaVersion": 2, "manifests": [], "x": "y" * (8 * MIB)}).encode()
    async with FakeRegistry() as registry, connected(registry.url) as mirror:
        registry.put_manifest("pause", "3.1", huge, OCI_INDEX)
        with pytest.raises(MirrorFailed, match="too many"):
            await mirror.get_manifest(PAUSE, TAG)


async def test_a_manifest_over_four_mebibytes_is_served() -> None:
    large = json.dumps({"schemaVersion": 2, "manifests": [], "x": "y" * (5 * MIB)}).encode()
    async with FakeRegistry() as registry, connected(registry.url) as mirror:
        digest = registry.put_manifest("pause", "3.1", large, OCI_INDEX)
        assert (await mirror.get_manifest(PAUSE, TAG)).digest == digest


async def test_a_mirror_that_refuses_head_is_asked_with_get() -> None:
    async with FakeRegistry() as registry, connected(registry.url) as mirror:
        digest = registry.put_image("pause", "3.1", image(1))
        data = blob(1000)
        of_blob = registry.put_blob("pause", data)
        registry.fault(Fault("status", status=405, method="HEAD", times=None))
        head = await mirror.head_manifest(PAUSE, TAG)
        assert (head.digest, head.size) == (digest, len(image(1).manifest))
        assert await mirror.head_blob(PAUSE, of_blob) == 1000


@pytest.mark.rule("E-2", "P15")
async def test_statuses_become_errors_with_the_mirrors_reason() -> None:
    async with FakeRegistry() as registry, connected(registry.url) as mirror:
        denied = b'{"errors":[{"code":"DENIED","message":"not for you"}]}'
        json_type = {"Content-Type": "application/json"}
        registry.fault(Fault("status", status=403, body=denied, headers=json_type))
        with pytest.raises(MirrorDenied, match=r"^answered 403 \(DENIED: not for you\)$"):
            await mirror.get_manifest(PAUSE, TAG)
        registry.fault(Fault("status", status=502, body=b"<html>", headers={}))
        with pytest.raises(MirrorFailed, match=r"^answered 502$") as failed:
            await mirror.get_manifest(PAUSE, TAG)
        assert failed.value.status == 502
        registry.fault(Fault("status", status=429, headers={"Retry-After": "7"}))
        with pytest.raises(MirrorThrottled) as throttled:
            await mirror.head_manifest(PAUSE, TAG)
        assert throttled.value.retry_after_s == 7


@pytest.mark.rule("U-9", "N-5")
async def test_the_quota_of_docker_hub_is_remembered() -> None:
    async with FakeRegistry(ratelimit=(100, 21600)) as registry, connected(registry.url) as mirror:
        registry.put_image("pause", "3.1", image(1))
        told = [mirror.quota]
        await mirror.head_manifest(PAUSE, TAG)
        told.append(mirror.quota)
        await mirror.get_manifest(PAUSE, TAG)
        told.append(mirror.quota)
        assert told == [None, Quota(100, 100, 21600), Quota(100, 99, 21600)]


async def test_the_time_to_headers_is_known_afterwards() -> None:
    async with FakeRegistry() as registry, connected(registry.url) as mirror:
        registry.put_image("pause", "3.1", image(1))
        before = mirror.health.latency
        await mirror.head_manifest(PAUSE, TAG)
        assert before is None
        assert (mirror.health.latency or 0) > 0


async def test_a_blob_comes_whole_and_its_connection_is_used_again() -> None:
    data = blob(3 * MIB + 17)
    async with FakeRegistry() as registry, connected(registry.url) as mirror:
        digest = registry.put_blob("pause", data)
        assert await mirror.head_blob(PAUSE, digest) == len(data)
        stream = await mirror.open_blob(PAUSE, digest, expected_size=len(data))
        assert (stream.start, stream.size) == (0, len(data))
        assert await everything(stream) == data
        await mirror.head_blob(PAUSE, digest)
        assert len({one.connection_id for one in registry.requests}) == 1
        assert "Range" not in registry.requests[1].headers


async def test_a_stream_closed_early_drops_its_connection() -> None:
    async with FakeRegistry(bytes_per_second=20 * MIB) as registry, connected(registry.url) as m:
        digest = registry.put_blob("pause", blob(4 * MIB))
        stream = await m.open_blob(PAUSE, digest)
        assert await stream.read()
        await stream.aclose()
        await stream.aclose()
        await registry.until_idle()
        assert registry.bytes_sent("/blobs/") < 4 * MIB
        assert "closed" in repr(stream)


@pytest.mark.rule("P12")
async def test_a_resumed_blob_is_the_rest() -> None:
    data = blob(100_000)
    async with FakeRegistry() as registry, connected(registry.url) as mirror:
        digest = registry.put_blob("pause", data)
        stream = await mirror.open_blob(PAUSE, digest, start=60_000, expected_size=100_000)
        assert (stream.start, stream.size) == (60_000, 100_000)
        assert await everything(stream) == data[60_000:]
        assert registry.requests[0].headers["Range"] == "bytes=60000-"


@pytest.mark.rule("P12")
async def test_a_mirror_that_ignores_the_range_is_read_past_the_start() -> None:
    data = blob(100_000)
    async with FakeRegistry() as registry, connected(registry.url) as mirror:
        digest = registry.put_blob("pause", data)
        registry.fault(Fault("ignore_range", times=None))
        stream = await mirror.open_blob(PAUSE, digest, start=60_000)
        assert (stream.start, stream.size) == (60_000, 100_000)
        assert await everything(stream) == data[60_000:]
        with pytest.raises(MirrorFailed, match="ignores ranges"):
            await mirror.open_blob(PAUSE, digest, start=8 * MIB + 1)


@pytest.mark.rule("P12")
async def test_another_range_than_asked_for_is_a_lie() -> None:
    async with FakeRegistry() as registry, connected(registry.url) as mirror:
        digest = registry.put_blob("pause", blob(100_000))
        registry.fault(Fault("wrong_content_range"))
        with pytest.raises(MirrorLied, match="asked from 60000"):
            await mirror.open_blob(PAUSE, digest, start=60_000)
        with pytest.raises(MirrorLied, match="ends before"):
            await mirror.open_blob(PAUSE, digest, start=100_000)


async def test_a_length_other_than_expected_is_a_lie() -> None:
    async with FakeRegistry() as registry, connected(registry.url) as mirror:
        digest = registry.put_blob("pause", blob(1000))
        for start in (0, 10):
            with pytest.raises(MirrorLied, match="1000 bytes there instead of 999"):
                await mirror.open_blob(PAUSE, digest, start=start, expected_size=999)


@pytest.mark.rule("C-12", "U-2")
async def test_a_compressed_blob_is_a_lie() -> None:
    async with FakeRegistry() as registry, connected(registry.url) as mirror:
        digest = registry.put_blob("pause", blob(1000))
        registry.fault(Fault("gzip"))
        with pytest.raises(MirrorLied, match="coding"):
            await mirror.open_blob(PAUSE, digest)


@pytest.mark.parametrize("kind", ["reset", "truncate"])
async def test_what_came_before_the_break_is_kept(kind: Literal["reset", "truncate"]) -> None:
    data = blob(1_000_000)
    async with FakeRegistry() as registry, connected(registry.url) as mirror:
        digest = registry.put_blob("pause", data)
        registry.fault(Fault(kind, after_bytes=400_000))
        stream = await mirror.open_blob(PAUSE, digest)
        while stream._response.content.exception() is None:
            await asyncio.sleep(0)  # until all of it is here, and the break as well
        assert await stream.read() == data[:400_000]
        with pytest.raises(MirrorUnreachable):
            await stream.read()
        await stream.aclose()


async def test_an_early_end_tells_how_much_is_missing() -> None:
    async with FakeRegistry() as registry, connected(registry.url) as mirror:
        digest = registry.put_blob("pause", blob(1000))
        registry.fault(Fault("truncate", after_bytes=400))
        stream = await mirror.open_blob(PAUSE, digest)
        with pytest.raises(MirrorUnreachable, match="ended 600 bytes early, at byte 400"):
            await everything(stream)


@pytest.mark.rule("T-2")
async def test_a_body_that_stands_still_is_given_up() -> None:
    async with FakeRegistry() as registry, connected(registry.url, stall_s=0.1) as mirror:
        digest = registry.put_blob("pause", blob(1000))
        registry.fault(Fault("stall", after_bytes=400, times=2))
        stream = await mirror.open_blob(PAUSE, digest)
        with pytest.raises(MirrorSilent, match=r"nothing for 0\.1 s at byte 400"):
            await everything(stream)
        registry.put_image("pause", "3.1", image(1))
        with pytest.raises(MirrorSilent):
            await mirror.get_manifest(PAUSE, TAG)


@pytest.mark.rule("U-3", "P25")
async def test_blobs_are_fetched_through_signed_redirects() -> None:
    data = blob(100_000)
    async with (
        FakeRegistry(token_auth=True, redirect_blobs_to="cdn") as registry,
        connected(registry.url, headers={"X-Key": "s3cret"}) as mirror,
    ):
        digest = registry.put_blob("pause", data)
        stream = await mirror.open_blob(PAUSE, digest, start=1)
        assert await everything(stream) == data[1:]
        at_cdn = registry.cdn.requests[-1]
        assert at_cdn.status == 206
        assert "Authorization" not in at_cdn.headers
        assert "X-Key" not in at_cdn.headers
        assert registry.requests[-1].headers["X-Key"] == "s3cret"


@pytest.mark.rule("U-4", "Q-1")
@pytest.mark.parametrize("get_only", [True, False])
async def test_the_size_of_a_blob_behind_a_signed_url_is_learned(get_only: bool) -> None:
    async with (
        FakeRegistry(redirect_blobs_to="cdn", cdn_get_only=get_only) as registry,
        connected(registry.url) as mirror,
    ):
        digest = registry.put_blob("pause", blob(12_345))
        assert await mirror.head_blob(PAUSE, digest) == 12_345
        assert registry.cdn.bytes_sent() <= 300  # an error page or a byte, not the blob
        with pytest.raises(MirrorNotFound):
            await mirror.head_blob(PAUSE, Digest.of(b"missing"))


async def test_the_empty_blob_has_size_zero() -> None:
    async with FakeRegistry() as registry, connected(registry.url) as mirror:
        digest = registry.put_blob("pause", b"")
        assert await mirror.head_blob(PAUSE, digest) == 0
        assert await everything(await mirror.open_blob(PAUSE, digest)) == b""


async def test_a_size_of_zero_for_anything_else_is_not_believed() -> None:
    async with FakeRegistry() as registry, connected(registry.url) as mirror:
        digest = registry.put_blob("pause", blob(1000))
        registry.fault(Fault("wrong_length", by=-1000, method="HEAD"))
        assert await mirror.head_blob(PAUSE, digest) == 1000


@pytest.mark.rule("U-4", "P12")
async def test_an_expired_url_is_asked_for_once_more() -> None:
    data = blob(1000)
    async with (
        FakeRegistry(redirect_blobs_to="cdn") as registry,
        connected(registry.url) as mirror,
    ):
        digest = registry.put_blob("pause", data)
        registry.fault(Fault("expired_url"))
        assert await everything(await mirror.open_blob(PAUSE, digest)) == data
        registry.fault(Fault("expired_url", times=None))
        with pytest.raises(MirrorDenied, match=r"127\.0\.0\.1 answered 403"):
            await mirror.open_blob(PAUSE, digest)


@pytest.mark.rule("U-7")
async def test_a_registry_that_redirects_everything_is_followed() -> None:
    async with (
        FakeRegistry(token_auth=True) as backend,
        FakeRegistry(redirect_manifests=backend) as registry,
        connected(registry.url) as mirror,
    ):
        digest = registry.put_image("pause", "3.1", image(1))
        assert (await mirror.head_manifest(PAUSE, TAG)).digest == digest
        assert (await mirror.get_manifest(PAUSE, digest)).body == image(1).manifest
        tokens = backend.asked("/token")
        assert len(tokens) == 1
        assert "k8s-artifacts-prod/images/pause" in tokens[0].query
        assert [one.method for one in backend.asked("/manifests/3.1")] == ["HEAD", "HEAD"]


@pytest.mark.rule("U-10", "U-11", "N-2")
async def test_tags_are_listed_over_all_pages() -> None:
    tags = [f"v{number:04}" for number in range(2100)]
    async with FakeRegistry() as registry, connected(registry.url) as mirror:
        for tag in tags:
            registry.put_manifest("pause", tag, image(1).manifest)
        assert list(await mirror.list_tags(PAUSE)) == tags
        assert len(registry.requests) == 3
        with pytest.raises(MirrorNotFound):
            await mirror.list_tags(RepositoryName("other"))


@pytest.mark.rule("N-3")
async def test_referrers_come_as_they_are_or_are_not_found() -> None:
    about = image(1, flavour="oci")
    async with FakeRegistry() as registry, connected(registry.url) as mirror:
        digest = registry.put_image("pause", "3.1", about)
        attached = registry.put_image("pause", None, artifact(subject=about))
        assert str(attached).encode() in await mirror.get_referrers(PAUSE, digest)
        for status in (404, 400, 405):
            registry.fault(Fault("status", status=status))
            with pytest.raises(MirrorNotFound):
                await mirror.get_referrers(PAUSE, digest)
        registry.fault(Fault("status", status=503))
        with pytest.raises(MirrorFailed):
            await mirror.get_referrers(PAUSE, digest)


async def test_a_closed_client_answers_nothing() -> None:
    async with FakeRegistry() as registry, connected(registry.url) as mirror:
        await mirror.aclose()
        with pytest.raises(MirrorUnreachable, match="closed"):
            await mirror.head_manifest(PAUSE, TAG)
        assert registry.requests == []
        assert repr(mirror) == (
            f"<MirrorClient {registry.host} for registry.example: <Health closed>>"
        )


def head_of(status: str, *lines: str) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""]).encode()


DIGEST = Digest.of(b"anything")
REFUSED = head_of("405 No", "Content-Length: 0")


@pytest.mark.rule("C-13", "U-13")
@pytest.mark.parametrize(
    ("lines", "digest", "size"),
    [
        (("Docker-Content-Digest: sha256:short", "Content-Length: 5"), None, 5),
        (("Docker-Content-Digest: " + str(DIGEST), "Content-Length: 0"), DIGEST, None),
        (("Content-Length: 5", "Content-Encoding: gzip"), None, None),
    ],
    ids=["malformed digest", "no length", "compressed"],
)
async def test_a_head_tells_nothing_that_is_not_credible(
    lines: tuple[str, ...], digest: Digest | None, size: int | None
) -> None:
    reply = head_of("200 OK", f"Content-Type: {OCI_INDEX}; charset=utf-8", *lines)
    async with replying(reply) as url, connected(url) as mirror:
        head = await mirror.head_manifest(PAUSE, TAG)
        assert (head.digest, head.media_type, head.size) == (digest, OCI_INDEX, size)


@pytest.mark.rule("U-13", "F-3")
async def test_a_head_by_digest_may_not_tell_another_except_for_schema1() -> None:
    told = f"Docker-Content-Digest: {Digest.of(b'other')}"
    async with (
        replying(head_of("200 OK", f"Content-Type: {OCI_INDEX}", told)) as url,
        connected(url) as mirror,
    ):
        with pytest.raises(MirrorLied, match="when asked for"):
            await mirror.head_manifest(PAUSE, DIGEST)
    async with (
        replying(head_of("200 OK", f"Content-Type: {SCHEMA1_SIGNED}", told)) as url,
        connected(url) as mirror,
    ):
        assert (await mirror.head_manifest(PAUSE, DIGEST)).digest == Digest.of(b"other")


@pytest.mark.rule("Q-1", "U-4")
@pytest.mark.parametrize(
    ("probe", "size"),
    [
        (head_of("206 Part", "Content-Range: bytes 0-0/77", "Content-Length: 1"), 77),
        (head_of("206 Part", "Content-Range: bytes 0-0/*", "Content-Length: 1"), None),
        (head_of("206 Part", "Content-Length: 1"), None),
        (head_of("200 OK", "Content-Length: 77"), 77),
        (head_of("200 OK", "Transfer-Encoding: chunked"), None),
        (head_of("416 No", "Content-Range: bytes */0", "Content-Length: 0"), 0),
    ],
    ids=["part", "part of unknown", "part without range", "whole", "whole of unknown", "empty"],
)
async def test_a_size_that_head_does_not_tell_is_read_off_one_byte(
    probe: bytes, size: int | None
) -> None:
    async with replying(REFUSED, probe) as url, connected(url) as mirror:
        assert await mirror.head_blob(PAUSE, DIGEST) == size


@pytest.mark.rule("P8")
async def test_a_probe_answered_with_a_page_or_404_is_no_size() -> None:
    page = head_of("200 OK", "Content-Type: text/html", "Content-Length: 9")
    async with replying(REFUSED, page) as url, connected(url) as mirror:
        with pytest.raises(MirrorLied):
            await mirror.head_blob(PAUSE, DIGEST)
    gone = head_of("404 No", "Content-Length: 0")
    async with replying(REFUSED, gone) as url, connected(url) as mirror:
        with pytest.raises(MirrorNotFound):
            await mirror.head_blob(PAUSE, DIGEST)


@pytest.mark.rule("U-4")
async def test_the_first_hops_length_counts_only_if_it_is_the_blobs() -> None:
    async with FakeRegistry() as cdn:
        cdn.fault(Fault("status", status=403, times=None))
        hop = f"Location: {cdn.url}/signed"
        named = f"Docker-Content-Digest: {DIGEST}"
        octets = "Content-Type: application/octet-stream"
        speaking = head_of("307 There", hop, named, octets, "Content-Length: 77")
        async with replying(speaking) as url, connected(url) as mirror:
            assert await mirror.head_blob(PAUSE, DIGEST) == 77
        page = head_of("307 There", hop, named, "Content-Type: text/html", "Content-Length: 77")
        async with replying(page, page) as url, connected(url) as mirror:
            with pytest.raises(MirrorDenied):
                await mirror.head_blob(PAUSE, DIGEST)


@pytest.mark.rule("N-2")
async def test_a_list_that_never_ends_is_given_up() -> None:
    async with FakeRegistry() as registry, connected(registry.url) as mirror:
        again = {"Link": '</v2/pause/tags/list?last=a>; rel="next"'}
        body = b'{"name": "pause", "tags": ["a"]}'
        registry.fault(Fault("status", status=200, body=body, headers=again, times=None))
        with pytest.raises(MirrorFailed, match="more than 200 pages"):
            await mirror.list_tags(PAUSE)


@pytest.mark.rule("N-3")
@pytest.mark.parametrize("body", [b"[]", b'{"manifests": {}}', b"{}"])
async def test_referrers_that_are_no_index_are_a_lie(body: bytes) -> None:
    async with FakeRegistry() as registry, connected(registry.url) as mirror:
        registry.fault(Fault("status", status=200, body=body))
        with pytest.raises(MirrorLied):
            await mirror.get_referrers(PAUSE, DIGEST)


@pytest.mark.rule("U-2")
async def test_lists_compressed_unasked_are_undone_or_refused() -> None:
    async with FakeRegistry() as registry, connected(registry.url) as mirror:
        registry.put_image("pause", "3.1", image(1))
        registry.fault(Fault("gzip"))
        assert await mirror.list_tags(PAUSE) == ("3.1",)
        coded = {"Content-Encoding": "zstd"}
        registry.fault(Fault("status", status=200, body=b"{}", headers=coded))
        with pytest.raises(MirrorLied, match="coding"):
            await mirror.list_tags(PAUSE)
