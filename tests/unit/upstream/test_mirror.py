"""One mirror asked in the registry's names: what it answers, and what is made of lies."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable

import pytest

from connecting import connected, replying
from entrepot.errors import (
    BlockPage,
    MirrorDenied,
    MirrorFailed,
    MirrorLied,
    MirrorNotFound,
    MirrorThrottled,
    MirrorUnreachable,
)
from entrepot.oci.digest import Digest
from entrepot.oci.mediatype import DOCKER_LIST, OCI_INDEX, SCHEMA1_SIGNED
from entrepot.oci.reference import RepositoryName, Tag
from entrepot.upstream.quota import Quota
from fakes.images import artifact, blob, image, index
from fakes.registry import FakeRegistry, Fault
from fakes.schema1 import signed_manifest

PAUSE = RepositoryName("pause")
TAG = Tag("3.1")
MIB = 1 << 20


def head_of(status: str, *lines: str) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""]).encode()


DIGEST = Digest.of(b"anything")


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
        with pytest.raises(MirrorLied) as caught:
            await questions[ask]()
        assert isinstance(caught.value, BlockPage) == (ask not in {"tags", "referrers"})


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
