"""What clients see of mirrors with tokens, redirects, limits, and of mirrors that say nothing."""

from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import structlog

from fakes.images import image, index
from fakes.registry import FakeRegistry, Fault
from unit.web.serving import NS, registry_settings, serving
from wire.client import Answer

BOTH = index([image(1, layers=(300_000, 2000)), image(1, platform="linux/arm64")])
AMD64 = BOTH.images[0]
TARGET = f"/v2/pause/manifests/3.1{NS}"
HASTE = {"headers": 1.0, "overtake": 0.2, "stall": 0.3, "connect": 1.0}
SKOPEO = ("User-Agent", "skopeo/1.9.3")
CONTAINERD = ("User-Agent", "containerd/1.6.20")


def errors(got: Answer) -> dict[str, Any]:
    (error,) = json.loads(got.body)["errors"]
    assert isinstance(error, dict)
    return error


@pytest.mark.rule("U-3", "U-4", "U-7", "X-7")
async def test_redirects_as_registry_k8s_io_and_its_stores_make_them(tmp_path: Path) -> None:
    """307 to another registry for manifests, from there to signed URLs that bear no tidying."""
    async with (
        FakeRegistry(token_auth=True, redirect_blobs_to="cdn") as region,
        FakeRegistry(redirect_manifests=region) as front,
    ):
        mirror = {"url": front.url, "realms": ["127.0.0.1"]}
        async with serving(tmp_path, mirror) as served:
            front.put_image("pause", "3.1", BOTH)
            got = await served.get(TARGET)
            assert (got.status, got.body) == (200, BOTH.manifest)
            for data in AMD64.blobs:
                digest = front.put_blob("pause", data)
                blob = await served.get(f"/v2/pause/blobs/{digest}{NS}")
                assert (blob.status, blob.body == data) == (200, True)
            at_cdn = region.cdn.requests
            assert len(at_cdn) == len(AMD64.blobs)
            for one in at_cdn:
                assert "%3A" in one.path
                assert "%2B" in one.query
                assert one.status == 200
                assert "Authorization" not in one.headers
            assert any("Authorization" in one.headers for one in region.requests)
            assert all("Authorization" not in one.headers for one in front.requests)


@pytest.mark.rule("U-4")
@pytest.mark.parametrize("state", ["cold", "warm"])
async def test_head_of_a_blob_whose_store_allows_no_head(state: str, tmp_path: Path) -> None:
    async with (
        FakeRegistry(redirect_blobs_to="cdn", cdn_get_only=True) as mirror,
        serving(tmp_path, mirror) as served,
    ):
        digest = mirror.put_blob("pause", AMD64.layers[0])
        target = f"/v2/pause/blobs/{digest}{NS}"
        if state == "warm":
            await served.get(target)
        got = await served.ask("HEAD", target)
        assert (got.status, got.length) == (200, len(AMD64.layers[0]))


@pytest.mark.rule("U-4")
async def test_a_signed_url_that_has_expired_is_asked_for_again(tmp_path: Path) -> None:
    async with (
        FakeRegistry(redirect_blobs_to="cdn") as mirror,
        serving(tmp_path, mirror) as served,
    ):
        digest = mirror.put_blob("pause", AMD64.layers[0])
        mirror.fault(Fault("expired_url", path="/blobs/"))
        got = await served.get(f"/v2/pause/blobs/{digest}{NS}")
        assert (got.status, got.body) == (200, AMD64.layers[0])


@pytest.mark.rule("U-5", "U-10")
async def test_tokens_that_expire_in_the_middle_of_a_pull(tmp_path: Path) -> None:
    async with FakeRegistry(token_auth=True) as mirror, serving(tmp_path, mirror) as served:
        mirror.put_image("pause", "3.1", BOTH)
        targets = [TARGET, f"/v2/pause/manifests/{AMD64.digest}{NS}"]
        targets += [f"/v2/pause/blobs/{mirror.put_blob('pause', b)}{NS}" for b in AMD64.blobs]
        for target in targets:
            got = await served.get(target)
            assert got.status == 200
            assert got.header("WWW-Authenticate") is None
            mirror.expire_tokens()


@pytest.mark.rule("E-2", "U-9")
async def test_a_throttling_mirror_is_not_stormed(tmp_path: Path) -> None:
    """containerd repeats a 429 at once and without a pause; it gets a 503 and asks elsewhere."""
    async with FakeRegistry() as mirror, serving(tmp_path, mirror, timeouts=HASTE) as served:
        mirror.put_image("pause", "3.1", BOTH)
        mirror.fault(Fault("status", status=429, headers={"Retry-After": "60"}, times=None))
        for _ in range(3):
            answers = await asyncio.gather(*(served.get(TARGET, CONTAINERD) for _ in range(10)))
            assert {got.status for got in answers} == {503}
            for got in answers:
                assert int(got.header("Retry-After") or 0) in range(1, 61)
                assert errors(got)["code"] == "TOOMANYREQUESTS"
        assert len(mirror.requests) == 1


@pytest.mark.rule("E-2", "N-4")
@pytest.mark.parametrize(
    ("agent", "status"),
    [
        ("skopeo/1.9.3", 429),
        ("containers/5.23.1 (github.com/containers/image)", 429),
        ("go-containerregistry/v0.20.2", 429),
        ("oras-go", 429),
        ("cri-o/1.28.0 go/go1.20", 429),
        ("containerd/2.1.0", 503),
        ("containerd/v1.6.20+unknown", 503),
        ("buildkit/v0.13", 503),
        ("docker/20.10.24+dfsg1 go/go1.19.8", 503),
        ("", 503),
    ],
)
async def test_only_who_honours_retry_after_hears_429(
    agent: str, status: int, tmp_path: Path
) -> None:
    async with FakeRegistry() as mirror, serving(tmp_path, mirror) as served:
        mirror.fault(Fault("status", status=429, headers={"Retry-After": "7"}, times=None))
        got = await served.get(TARGET, *([("User-Agent", agent)] if agent else []))
        assert got.status == status
        assert int(got.header("Retry-After") or 0) in range(1, 8)


@pytest.mark.rule("E-2", "A-2")
@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (Fault("status", status=401, times=None), 502),
        (Fault("status", status=403, times=None), 502),
        (Fault("status", status=418, times=None), 502),
        (Fault("status", status=500, times=None), 502),
        (Fault("html", times=None), 502),
        (Fault("refuse", times=None), 502),
        (Fault("redirect_loop", times=None), 502),
        (Fault("silent", times=None), 504),
    ],
    ids=lambda value: f"{value.kind} {value.status}" if isinstance(value, Fault) else "",
)
@pytest.mark.parametrize("kind", ["manifests/3.1", f"blobs/{AMD64.digest}"])
async def test_trouble_with_a_mirror_is_never_the_clients_fault(
    fault: Fault, status: int, kind: str, tmp_path: Path
) -> None:
    async with FakeRegistry() as mirror, serving(tmp_path, mirror, timeouts=HASTE) as served:
        mirror.fault(fault)
        got = await served.get(f"/v2/pause/{kind}{NS}")
        assert got.status == status
        assert errors(got)["code"] == "UNAVAILABLE"
        (told,) = errors(got)["detail"]
        assert told["mirror"] == mirror.host


@pytest.mark.rule("E-2", "E-3")
async def test_404_instead_of_5xx_for_old_containerd(tmp_path: Path) -> None:
    compatibility = {"not_found_instead_of_5xx": True}
    async with (
        FakeRegistry() as mirror,
        serving(tmp_path, mirror, compatibility=compatibility) as served,
    ):
        mirror.fault(Fault("status", status=500, times=None))
        head = await served.ask("HEAD", TARGET)
        got = await served.get(TARGET)
        for one in (head, got):
            assert (one.status, one.header("Retry-After")) == (404, None)
        assert errors(got)["detail"]


@pytest.mark.rule("T-1", "E-2", "P31")
@pytest.mark.parametrize("method", ["HEAD", "GET"])
@pytest.mark.parametrize(
    "kind", ["manifests/3.1", f"manifests/{BOTH.digest}", f"blobs/{AMD64.digest}", "tags/list"]
)
async def test_when_every_mirror_is_silent_there_is_an_answer_in_time(
    kind: str, method: str, tmp_path: Path
) -> None:
    async with (
        FakeRegistry(accept_silently=True) as first,
        FakeRegistry(accept_silently=True) as second,
        serving(tmp_path, first, second, timeouts=HASTE) as served,
    ):
        async with asyncio.timeout(4 * HASTE["headers"]):
            got = await served.ask(method, f"/v2/pause/{kind}{NS}")
        assert got.status == 504
        if method == "GET":
            detail = errors(got)["detail"]
            assert {one["mirror"] for one in detail} == {first.host, second.host}
            assert {one["outcome"] for one in detail} == {"silent"}


@pytest.mark.rule("T-1")
async def test_a_silent_mirror_is_overtaken(tmp_path: Path) -> None:
    async with (
        FakeRegistry(accept_silently=True) as first,
        FakeRegistry() as second,
        serving(tmp_path, first, second, timeouts={**HASTE, "headers": 15.0}) as served,
    ):
        second.put_image("pause", "3.1", BOTH)
        digest = second.put_blob("pause", AMD64.layers[0])
        assert (await served.get(TARGET)).body == BOTH.manifest
        assert (await served.get(f"/v2/pause/blobs/{digest}{NS}")).body == AMD64.layers[0]


@pytest.mark.rule("A-3", "A-4")
async def test_a_clients_credentials_go_nowhere(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    secrets = {
        "Authorization": "Basic c2VjcmV0LXVzZXI6c2VjcmV0LXB3",
        "Proxy-Authorization": "Bearer secret-proxy-token",
        "X-Registry-Auth": "secret-registry-auth",
        "Cookie": "session=secret-cookie",
    }
    async with (
        FakeRegistry(token_auth=True, redirect_blobs_to="cdn") as mirror,
        serving(tmp_path, mirror) as served,
    ):
        mirror.put_image("pause", "3.1", BOTH)
        digest = mirror.put_blob("pause", AMD64.layers[0])
        with structlog.testing.capture_logs() as logged:
            for target in (
                TARGET,
                f"/v2/pause/blobs/{digest}{NS}",
                f"/v2/pause/tags/list{NS}",
                f"/v2/pause/manifests/absent{NS}",
                f"/v2/pause/manifests/3.1{NS.replace('k8s', 'unknown')}",
            ):
                got = await served.get(target, *secrets.items())
                for value in secrets.values():
                    assert value not in str(got)
        for one in [*mirror.requests, *mirror.cdn.requests]:
            assert "secret" not in str(one.headers)
            assert "c2VjcmV0" not in str(one.headers)
    written = f"{logged} {caplog.text} {capsys.readouterr()}"
    assert "pause" in written
    for secret in ("c2VjcmV0", "secret-proxy", "secret-registry", "secret-cookie"):
        assert secret not in written


@pytest.mark.rule("A-4", "U-6")
async def test_our_own_credentials_reach_their_mirror_and_no_log(tmp_path: Path) -> None:
    async with FakeRegistry(basic_auth=("robot", "hidden-password")) as mirror:
        mirror.put_image("pause", "3.1", BOTH)
        told = {
            "url": mirror.url,
            "credentials": {"username": "robot", "password": "hidden-password"},
        }
        registries = {"registry.k8s.io": registry_settings(told, aliases=["k8s.gcr.io"])}
        with structlog.testing.capture_logs() as logged:
            async with serving(tmp_path, registries=registries) as served:
                assert (await served.get(TARGET)).status == 200
        assert "hidden-password" not in str(logged)
        assert "hidden-password" not in repr(served.settings)


@pytest.mark.rule("U-2", "C-12")
async def test_a_mirror_that_compresses_all_the_same_is_unpacked_or_refused(
    tmp_path: Path,
) -> None:
    async with FakeRegistry(gzip_manifests=True) as mirror, serving(tmp_path, mirror) as served:
        mirror.put_image("pause", "3.1", BOTH)
        got = await served.get(TARGET)
        assert (got.status, got.header("Content-Encoding")) == (200, None)
        assert got.body == BOTH.manifest


@pytest.mark.rule("S-2", "U-3")
async def test_the_mirror_is_asked_in_its_own_words_alone(tmp_path: Path) -> None:
    async with FakeRegistry() as mirror, serving(tmp_path, mirror) as served:
        mirror.put_image("pause", "3.1", BOTH)
        await served.get(TARGET, ("X-Forwarded-For", "10.0.0.1"), ("Range", "bytes=0-"), CONTAINERD)
        (one,) = mirror.requests
        assert unquote(one.target) == "/v2/pause/manifests/3.1"
        assert "containerd" not in one.headers.get("User-Agent", "")
        assert not {"Range", "X-Forwarded-For", "Forwarded", "Via"} & set(one.headers)
