"""The fake registry's own ways: credentials, redirects, limits, negotiation, encryption."""

from __future__ import annotations

import asyncio
import gzip
import json
import ssl

import aiohttp
import pytest

from fakes.images import (
    DOCKER_LIST,
    DOCKER_MANIFEST,
    OCI_INDEX,
    OCI_MANIFEST,
    artifact,
    blob,
    image,
    index,
)
from fakes.registry import FakeRegistry, Fault
from fakes.schema1 import signed_manifest
from fakes.tokens import basic
from unit.fakes.wiretap import Wire, wire

FULL = f"{DOCKER_MANIFEST},{DOCKER_LIST},{OCI_MANIFEST},{OCI_INDEX}"
PAUSE = "/v2/pause/manifests/3.1"


async def _token(line: Wire, registry: FakeRegistry, scope: str, **headers: str) -> str:
    await line.ask(f"/token?service={registry.host}&scope={scope}", **headers)
    assert line.status == 200
    return str(json.loads(await line.body())["token"])


async def test_token_flow() -> None:
    async with FakeRegistry(token_auth=True) as registry, wire(registry.port) as line:
        registry.put_image("pause", "3.1", image())
        await line.ask(PAUSE, "HEAD", Accept=FULL)
        assert line.status == 401
        assert line.headers["www-authenticate"] == (
            f'Bearer realm="{registry.url}/token",service="{registry.host}",'
            'scope="repository:pause:pull"'
        )
        token = await _token(line, registry, "repository:pause:pull")
        await line.ask(PAUSE, "HEAD", Accept=FULL, Authorization=f"Bearer {token}")
        assert line.status == 200
        await line.ask("/v2/other/tags/list", "HEAD", Authorization=f"Bearer {token}")
        assert line.status == 401
        assert 'error="insufficient_scope"' in line.headers["www-authenticate"]
        registry.expire_tokens()
        await line.ask(PAUSE, "HEAD", Accept=FULL, Authorization=f"Bearer {token}")
        assert 'error="invalid_token"' in line.headers["www-authenticate"]
        assert registry.tokens.issued == 1


async def test_expire_tokens_strikes_the_request_it_meets() -> None:
    async with FakeRegistry(token_auth=True) as registry, wire(registry.port) as line:
        token = await _token(line, registry, "repository:pause:pull")
        registry.fault(Fault("expire_tokens", path="/v2/"))
        for expected in (401, 401):
            await line.ask("/v2/", "HEAD", Authorization=f"Bearer {token}")
            assert line.status == expected


async def test_token_expires_by_itself() -> None:
    async with FakeRegistry(token_auth=True, expires_in=0) as registry, wire(registry.port) as line:
        token = await _token(line, registry, "x")
        await line.ask("/v2/", "HEAD", Authorization=f"Bearer {token}")
        assert line.status == 401


async def test_token_server_knows_its_users() -> None:
    async with (
        FakeRegistry(credentials=("ann", "right"), token_field="access_token") as server,
        FakeRegistry(token_auth=True, token_server=server) as registry,
        wire(server.port) as line,
        wire(registry.port) as other,
    ):
        target = f"/token?service={server.host}&scope=a"
        for authorization in (basic("ann", "wrong"), basic("bob", "right"), "Basic %", "Bearer x"):
            await line.ask(target, "HEAD", Authorization=authorization)
            assert line.status == 401
        await line.ask(target, Authorization=basic("ann", "right"))
        token = json.loads(await line.body())["access_token"]
        await other.ask("/v2/", "HEAD")
        assert f'realm="{server.url}/token"' in other.headers["www-authenticate"]
        await other.ask("/v2/", "HEAD", Authorization=f"Bearer {token}")
        assert other.status == 200


async def test_public_token_server_refuses_strangers_credentials() -> None:
    async with FakeRegistry(token_auth=True) as registry, wire(registry.port) as line:
        target = f"/token?service={registry.host}&scope=a"
        await line.ask(target, "HEAD", Authorization=basic("lan", "secret"))
        assert line.status == 401
        await line.ask("/token?service=other", "HEAD")
        assert line.status == 400


async def test_basic_auth() -> None:
    ann = ("ann", "pass:word")
    async with FakeRegistry(basic_auth=ann) as registry, wire(registry.port) as line:
        await line.ask("/v2/", "HEAD")
        assert line.status == 401
        assert line.headers["www-authenticate"].startswith("Basic ")
        await line.ask("/v2/", "HEAD", Authorization=basic(*ann))
        assert line.status == 200


async def test_signed_url_must_come_back_byte_for_byte() -> None:
    data = blob(1000)
    async with FakeRegistry(redirect_blobs_to="cdn") as registry, wire(registry.port) as line:
        await line.ask(f"/v2/pause/blobs/{registry.put_blob('pause', data)}", "HEAD")
        assert line.status == 307
        assert line.headers["location"].startswith(registry.cdn.url)
        target = line.headers["location"].removeprefix(registry.cdn.url)
        assert "%3A" in target
        assert "%2F" in target
        async with wire(registry.cdn.port) as second:
            for method, asked, headers, expected in (
                ("GET", target, {}, 200),
                ("GET", target, {"Range": "bytes=100-199"}, 206),
                ("GET", target.replace("%3A", ":"), {}, 403),
                ("GET", target.replace("%2F", "/"), {}, 403),
                ("GET", target, {"Authorization": "Bearer x"}, 400),
                ("HEAD", target, {}, 403),
            ):
                await second.ask(asked, method, **headers)
                assert second.status == expected, (method, asked, headers)
                if method == "GET":
                    body = await second.body()
                    assert expected not in {200, 206} or body in {data, data[100:200]}
            registry.expire_urls()
            await second.ask(target)
            assert second.status == 403


async def test_blobs_of_another_origin_that_allows_head() -> None:
    async with (
        FakeRegistry(cdn_get_only=False) as other,
        FakeRegistry(redirect_blobs_to=other) as registry,
        wire(registry.port) as line,
        wire(other.port) as second,
    ):
        await line.ask(f"/v2/pause/blobs/{registry.put_blob('pause', b'data')}", "HEAD")
        await second.ask(line.headers["location"].removeprefix(other.url), "HEAD")
        assert (second.status, second.headers["content-length"]) == (200, "4")


async def test_registry_that_only_redirects() -> None:
    async with (
        FakeRegistry() as real,
        FakeRegistry(redirect_manifests=real) as front,
        wire(front.port) as line,
        wire(real.port) as second,
    ):
        digest = front.put_image("pause", "3.1", image())
        blob_digest = front.put_blob("pause", b"data")
        front.put_manifest("pause", "raw", b"{}")
        await line.ask("/v2/", "HEAD")
        assert line.status == 200
        prefix = "/v2/k8s-artifacts-prod/images"
        for asked in ("manifests/3.1?ns=k8s.gcr.io", f"blobs/{blob_digest}", "manifests/raw"):
            await line.ask(f"/v2/pause/{asked}", "HEAD")
            assert line.status == 307
            expected = f"{real.url}{prefix}/pause/{asked.partition('?')[0]}"
            assert line.headers["location"] == expected
            await second.ask(expected.removeprefix(real.url), "HEAD", Accept=FULL)
            assert second.status == 200
        assert str(digest) in real.content.repository("k8s-artifacts-prod/images/pause").manifests


async def test_ratelimit_counts_manifest_gets_only() -> None:
    async with FakeRegistry(ratelimit=(1, 21600)) as registry, wire(registry.port) as line:
        registry.put_image("pause", "3.1", image())
        await line.ask(PAUSE, "HEAD", Accept=FULL)
        assert line.headers["ratelimit-remaining"] == "1;w=21600"
        await line.ask(PAUSE, Accept=FULL)
        await line.body()
        assert (line.status, line.headers["ratelimit-remaining"]) == (200, "0;w=21600")
        await line.ask(PAUSE, Accept=FULL)
        assert (line.status, line.headers["retry-after"]) == (429, "60")
        assert json.loads(await line.body())["errors"][0]["code"] == "TOOMANYREQUESTS"
        await line.ask(PAUSE, "HEAD", Accept=FULL)
        assert line.status == 200


async def test_narrow_accept_gets_less() -> None:
    both = index([image(1, platform="linux/arm64"), image(1)])
    async with FakeRegistry() as registry, wire(registry.port) as line:
        registry.put_image("pause", "3.1", both)
        registry.put_image("pause", "oci", index([image(2, flavour="oci")], flavour="oci"))
        await line.ask(PAUSE, Accept=DOCKER_MANIFEST)
        assert await line.body() == both.images[1].manifest
        await line.ask(f"/v2/pause/manifests/{both.digest}", Accept=DOCKER_MANIFEST)
        assert await line.body() == both.manifest
        for accept in ("*/*", DOCKER_LIST, f"{OCI_MANIFEST}, */*"):
            await line.ask("/v2/pause/manifests/oci", Accept=accept)
            assert line.status == 404
            assert b"does not support OCI indexes" in await line.body()
        await line.ask("/v2/pause/manifests/oci", "HEAD", Accept=FULL)
        assert line.status == 200


async def test_only_the_first_accept_line_counts() -> None:
    async with FakeRegistry() as registry, wire(registry.port) as line:
        registry.put_image("pause", "oci", image(flavour="oci"))
        await line.ask("/v2/pause/manifests/oci", "HEAD", Accept=DOCKER_LIST, accept=OCI_MANIFEST)
        assert line.status == 404


async def test_lenient_registry_ignores_accept() -> None:
    async with FakeRegistry(negotiates=False) as registry, wire(registry.port) as line:
        registry.put_image("pause", "oci", image(flavour="oci"))
        await line.ask("/v2/pause/manifests/oci", "HEAD")
        assert line.status == 200


async def test_no_digest_header() -> None:
    async with FakeRegistry(digest_header=False) as registry, wire(registry.port) as line:
        registry.put_image("pause", "3.1", image())
        await line.ask(PAUSE, "HEAD", Accept=FULL)
        assert line.status == 200
        assert "docker-content-digest" not in line.headers


async def test_gzip_manifests_leaves_blobs_alone() -> None:
    async with FakeRegistry(gzip_manifests=True) as registry, wire(registry.port) as line:
        registry.put_image("pause", "3.1", image())
        await line.ask(PAUSE, Accept=FULL, Accept_Encoding="identity")
        assert line.headers["content-encoding"] == "gzip"
        assert gzip.decompress(await line.body()) == image().manifest
        await line.ask(f"/v2/pause/blobs/{registry.put_blob('pause', b'data')}")
        assert await line.body() == b"data"


async def test_schema1_is_named_by_its_payload() -> None:
    signed = signed_manifest("old", "1")
    async with FakeRegistry() as registry, wire(registry.port) as line:
        registry.put_image("old", "1", signed)
        await line.ask("/v2/old/manifests/1")
        assert line.headers["docker-content-digest"] == str(signed.digest)
        assert await line.body() == signed.manifest


async def test_referrers() -> None:
    about = image(1)
    sbom = artifact(subject=about, annotations={"a": "b"})
    other = artifact(subject=about, artifact_type="application/other")
    async with FakeRegistry() as registry, wire(registry.port) as line:
        registry.put_image("pause", "3.1", about)
        registry.put_image("pause", None, sbom)
        registry.put_image("pause", None, other)
        target = f"/v2/pause/referrers/{about.digest}"
        await line.ask(target)
        assert line.headers["content-type"] == OCI_INDEX
        found = json.loads(await line.body())["manifests"]
        assert [one["digest"] for one in found] == [str(sbom.digest), str(other.digest)]
        assert found[0]["annotations"] == {"a": "b"}
        await line.ask(f"{target}?artifactType=application%2Fother")
        assert line.headers["oci-filters-applied"] == "artifactType"
        assert len(json.loads(await line.body())["manifests"]) == 1
        await line.ask("/v2/pause/referrers/nonsense", "HEAD")
        assert line.status == 400


async def test_no_referrers_api() -> None:
    async with FakeRegistry(referrers=False) as registry, wire(registry.port) as line:
        registry.put_image("pause", "3.1", image())
        await line.ask(f"/v2/pause/referrers/{image().digest}", "HEAD")
        assert (line.status, line.headers["content-type"]) == (404, "text/plain")


async def test_tags_in_pages() -> None:
    async with FakeRegistry() as registry, wire(registry.port) as line:
        for tag in ("c", "a", "b"):
            registry.put_image("pause", tag, image())
        await line.ask("/v2/pause/tags/list?n=2")
        assert json.loads(await line.body())["tags"] == ["a", "b"]
        assert line.headers["link"] == '</v2/pause/tags/list?last=b&n=2>; rel="next"'
        await line.ask("/v2/pause/tags/list?last=b&n=2")
        assert json.loads(await line.body())["tags"] == ["c"]
        assert "link" not in line.headers
        await line.ask("/v2/pause/tags/list?n=0")
        assert json.loads(await line.body())["tags"] == []
        assert "link" not in line.headers


async def test_writes_are_refused() -> None:
    async with FakeRegistry() as registry, wire(registry.port) as line:
        await line.ask("/v2/pause/manifests/1", "DELETE")
        assert line.status == 405


async def test_tls_needs_the_authority() -> None:
    async with FakeRegistry(tls=True) as registry, aiohttp.ClientSession() as client:
        assert registry.url.startswith("https://")
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await client.get(f"{registry.url}/v2/")
        context = ssl.create_default_context(cadata=registry.ca_pem.decode())
        async with client.get(f"{registry.url}/v2/", ssl=context) as answer:
            assert answer.status == 200
        registry.fault(Fault("reset", after_bytes=1))
        with pytest.raises(aiohttp.ClientError):
            async with client.get(f"{registry.url}/v2/", ssl=context) as answer:
                await answer.read()


async def test_connections_are_told_apart() -> None:
    async with FakeRegistry() as registry:
        async with wire(registry.port) as one, wire(registry.port) as two:
            for line in (one, two, one):
                await line.ask("/v2/", "HEAD", X_Who="somebody")
            assert [asked.connection_id for asked in registry.requests] == [1, 2, 1]
            assert registry.requests[0].headers["x-who"] == "somebody"
            assert registry.connections == 2
        registry.clear()
        assert registry.requests == []


async def test_waiting_in_vain_tells_what_was_asked() -> None:
    async with FakeRegistry() as registry, wire(registry.port) as line:
        await line.ask("/v2/?a=1", "HEAD")
        await registry.until_idle()
        with pytest.raises(TimeoutError, match=r"HEAD /v2/\?a=1 200"):
            await registry.until_asked("/blobs/", timeout_s=0.01)


async def test_waiting_for_bytes() -> None:
    async with FakeRegistry(bytes_per_second=100_000) as registry, wire(registry.port) as line:
        digest = registry.put_blob("pause", blob(10_000))
        await line.send(f"/v2/pause/blobs/{digest}")
        await asyncio.gather(registry.until_sent(5_000), registry.until_asked(method="GET"))
        assert registry.bytes_sent(str(digest)) >= 5_000


async def test_error_inside_the_fake_fails_the_test() -> None:
    registry = FakeRegistry()
    await registry.__aenter__()
    registry._responder = None  # type: ignore[assignment]
    async with wire(registry.port) as line:
        await line.ask("/v2/", "HEAD")
        assert line.status == 500
    with pytest.raises(ExceptionGroup) as caught:
        await registry.__aexit__(None, None, None)
    assert isinstance(caught.value.exceptions[0], AttributeError)
