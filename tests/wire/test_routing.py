"""Every way in which clients write the name of an image leads to the same image (contract §0)."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import quote

import pytest

from fakes.images import image
from fakes.registry import FakeRegistry
from unit.web.serving import registry_settings, serving
from wire.client import ask

PAUSE = image("pause")
SHAPES = {
    "S1": "/v2/pause/{}?ns=k8s.gcr.io",
    "S1 upper case": "/v2/pause/{}?ns=K8S.gcr.io",
    "S1 other parameters": "/v2/pause/{}?x=1&ns=k8s.gcr.io&y",
    "S2 default of the listener": "/v2/pause/{}",
    "S3": "/v2/k8s.gcr.io/pause/{}",
    "S3 ns": "/v2/k8s.gcr.io/pause/{}?ns=k8s.gcr.io",
    "S4": "/k8s.gcr.io/v2/pause/{}",
    "S4 ns": "/k8s.gcr.io/v2/pause/{}?ns=k8s.gcr.io",
    "S5": "/v2/k8s.gcr.io/v2/pause/{}?ns=k8s.gcr.io",
    "S6": "/pause/{}?ns=k8s.gcr.io",
    "S6 path": "/k8s.gcr.io/pause/{}?ns=k8s.gcr.io",
    "S6 default of the listener": "/pause/{}",
}


@pytest.mark.rule("S-1", "S-2", "S-4", "S-6")
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
async def test_every_shape_finds_manifest_and_blob(shape: str, tmp_path: Path) -> None:
    listen = {"address": "127.0.0.1:0", "registry": "k8s.gcr.io"}
    async with FakeRegistry() as mirror, serving(tmp_path, mirror, listen=listen) as served:
        mirror.put_image("pause", "3.1", PAUSE)
        layer = mirror.put_blob("pause", PAUSE.layers[0])
        encoded = str(PAUSE.digest).replace(":", "%3A")
        for reference in ("3.1", str(PAUSE.digest), encoded):
            got = await served.get(shape.format(f"manifests/{reference}"))
            assert (got.status, got.body) == (200, PAUSE.manifest)
            told = "k8s.gcr.io" if "ns=" in shape.lower() else None
            assert got.header("OCI-Namespace") == told
        blob = await served.get(shape.format(f"blobs/{layer}"))
        assert (blob.status, blob.body) == (200, PAUSE.layers[0])


@pytest.mark.rule("S-2")
async def test_ns_with_an_escaped_port_is_that_registry(tmp_path: Path) -> None:
    async with FakeRegistry() as mirror, FakeRegistry() as other:
        mirror.put_image("team/app", "v1", PAUSE)
        registries = {
            "myreg.example:5000": registry_settings(mirror),
            "myreg.example": registry_settings(other),
        }
        async with serving(tmp_path, registries=registries) as served:
            ns = quote("myreg.example:5000", safe="")
            got = await served.get(f"/v2/team/app/manifests/v1?ns={ns}")
            assert (got.status, got.body) == (200, PAUSE.manifest)
            assert got.header("OCI-Namespace") == "myreg.example:5000"
            assert other.requests == []


@pytest.mark.rule("S-6", "P26")
@pytest.mark.parametrize(
    "target",
    [
        "/v2/pause/manifests/3.1?ns=evil.example",
        "/v2/pause/manifests/3.1?ns=127.0.0.1%3A{port}",
        "/v2/pause/manifests/3.1?ns=",
        "/v2/pause/manifests/3.1?ns=http%3A%2F%2Fevil.example",
        "/v2/evil.example/pause/manifests/3.1",
        "/evil.example/v2/pause/manifests/3.1",
        "/v2/pause/manifests/3.1?ns=evil.example&ns=k8s.gcr.io",
    ],
)
async def test_an_unknown_registry_is_404_and_nobody_is_dialled(
    target: str, tmp_path: Path
) -> None:
    async with FakeRegistry() as mirror, serving(tmp_path, mirror) as served:
        mirror.put_image("pause", "3.1", PAUSE)
        got = await served.get(target.format(port=mirror.port))
        assert got.status == 404
        assert json.loads(got.body)["errors"][0]["code"] == "NAME_UNKNOWN"
        assert (mirror.requests, mirror.connections) == ([], 0)


@pytest.mark.rule("S-5")
async def test_without_a_default_nothing_is_guessed(tmp_path: Path) -> None:
    async with FakeRegistry() as mirror, serving(tmp_path, mirror) as served:
        mirror.put_image("pause", "3.1", PAUSE)
        got = await served.get("/v2/pause/manifests/3.1")
        assert (got.status, mirror.requests) == (404, [])
        assert b"does not say which registry" in got.body


@pytest.mark.rule("S-4", "S-5")
async def test_ns_over_prefix_over_host_over_the_listener(tmp_path: Path) -> None:
    async with FakeRegistry() as first, FakeRegistry() as second, FakeRegistry() as third:
        registries = {
            "first.example": registry_settings(first),
            "second.example": registry_settings(second),
            "third.example": registry_settings(third),
        }
        fakes = {"first": first, "second": second, "third": third}
        for name, fake in fakes.items():
            fake.put_image("app", "v1", image(name))
        listen = {"address": "127.0.0.1:0", "registry": "first.example"}
        hosts = {"second.lan": "second.example"}
        host = ("Host", "second.lan:5000")
        async with serving(tmp_path, registries=registries, listen=listen, hosts=hosts) as served:
            by_listener = await served.get("/v2/app/manifests/v1")
            by_host = await served.get("/v2/app/manifests/v1", host)
            by_prefix = await served.get("/v2/third.example/app/manifests/v1", host)
            by_ns = await served.get("/v2/app/manifests/v1?ns=third.example", host)
        assert by_listener.body == image("first").manifest
        assert by_host.body == image("second").manifest
        assert by_prefix.body == by_ns.body == image("third").manifest


@pytest.mark.rule("S-5")
async def test_each_listener_has_its_own_default(tmp_path: Path) -> None:
    async with FakeRegistry() as first, FakeRegistry() as second:
        first.put_image("app", "v1", image("first"))
        second.put_image("app", "v1", image("second"))
        registries = {"a.example": registry_settings(first), "b.example": registry_settings(second)}
        listen = [
            {"address": "127.0.0.1:0", "registry": "a.example"},
            {"address": "127.0.0.1:0", "registry": "b.example"},
        ]
        async with serving(tmp_path, registries=registries, listen=listen) as served:
            one, two = served.server.addresses
            assert (await ask(one, "GET", "/v2/app/manifests/v1")).body == image("first").manifest
            assert (await ask(two, "GET", "/v2/app/manifests/v1")).body == image("second").manifest


@pytest.mark.rule("S-7")
@pytest.mark.parametrize("target", ["/v2/busybox/{}?ns=docker.io", "/v2/docker.io/busybox/{}"])
async def test_official_images_are_below_library(target: str, tmp_path: Path) -> None:
    async with FakeRegistry() as hub:
        hub.put_image("library/busybox", "1", PAUSE)
        registries = {"docker.io": registry_settings(hub)}
        async with serving(tmp_path, registries=registries) as served:
            got = await served.get(target.format("manifests/1"))
            assert (got.status, got.body) == (200, PAUSE.manifest)


@pytest.mark.rule("S-8")
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    "target", ["/v2", "/v2/", "/v2/?ns=k8s.gcr.io", "/k8s.gcr.io/v2/", "/v2/k8s.gcr.io/v2/"]
)
async def test_ping(method: str, target: str, tmp_path: Path) -> None:
    async with serving(tmp_path, "http://127.0.0.1:9") as served:
        got = await served.ask(method, target)
        assert (got.status, got.header("Content-Type")) == (200, "application/json")
        assert got.header("Docker-Distribution-Api-Version") == "registry/2.0"
        assert got.length == len(b"{}")
        assert got.body == (b"{}" if method == "GET" else b"")
        assert got.header("WWW-Authenticate") is None


@pytest.mark.rule("S-9")
@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/v2/a/../pause/manifests/3.1", 400),
        ("/v2//pause/manifests/3.1", 400),
        ("/v2/pa%2Fuse/manifests/3.1", 400),
        ("/v2/Pause/manifests/3.1", 400),
        ("/v2/pause/manifests/-bad", 400),
        ("/v2/pause/manifests/sha256:short", 400),
        ("/v2/pause/blobs/md5:d41d8cd98f00b204e9800998ecf8427e", 400),
        ("/v2/pause/nothing/3.1", 404),
        ("/v2/manifests/3.1", 400),
        ("/favicon.ico", 404),
        ("/v2/%00/manifests/3.1", 400),
        ("/v2/p%C3%A4use/manifests/3.1", 400),
    ],
)
async def test_what_is_no_name_is_the_clients_mistake(
    target: str, status: int, tmp_path: Path
) -> None:
    async with FakeRegistry() as mirror, serving(tmp_path, mirror) as served:
        got = await served.get(f"{target}?ns=k8s.gcr.io")
        assert got.status == status
        assert got.header("Content-Type") == "application/json"
        assert set(json.loads(got.body)["errors"][0]) >= {"code", "message"}
        assert mirror.requests == []


@pytest.mark.rule("S-9")
@pytest.mark.parametrize("repository", ["manifests", "blobs/manifests", "a/tags/list/blobs"])
async def test_repositories_named_like_routes(repository: str, tmp_path: Path) -> None:
    async with FakeRegistry() as mirror, serving(tmp_path, mirror) as served:
        mirror.put_image(repository, "v1", PAUSE)
        got = await served.get(f"/v2/{repository}/manifests/v1?ns=k8s.gcr.io")
        assert (got.status, got.body) == (200, PAUSE.manifest)


async def test_garbage_in_the_query_is_no_server_error(tmp_path: Path) -> None:
    async with serving(tmp_path, "http://127.0.0.1:9") as served:
        for query in ("ns=%ff%fe", "&&&", "=&=", "ns=%", "ns", "n=%zz&last=%00"):
            got = await served.get(f"/v2/pause/tags/list?{query}")
            assert got.status in {400, 404}
            assert got.header("Content-Type") == "application/json"


async def test_the_absolute_form_of_a_request_is_understood(tmp_path: Path) -> None:
    """RFC 9112 section 3.2.2: a server accepts it, though only proxies send it."""
    async with FakeRegistry() as mirror, serving(tmp_path, mirror) as served:
        mirror.put_image("pause", "3.1", PAUSE)
        got = await served.get(f"http://{served.address}/v2/pause/manifests/3.1?ns=k8s.gcr.io")
        assert (got.status, got.body) == (200, PAUSE.manifest)
