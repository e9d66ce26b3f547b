"""Nothing can be pushed, and no method upsets the server (rule N-4)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fakes.images import image
from fakes.registry import FakeRegistry
from unit.web.serving import NS, serving
from wire.client import client

DIGEST = "sha256:" + "0" * 64
WRITES = [
    ("POST", "/v2/pause/blobs/uploads/"),
    ("POST", f"/v2/pause/blobs/uploads/?digest={DIGEST}"),
    ("PATCH", "/v2/pause/blobs/uploads/0123"),
    ("PUT", "/v2/pause/blobs/uploads/0123"),
    ("PUT", "/v2/pause/manifests/3.1"),
    ("DELETE", "/v2/pause/manifests/3.1"),
    ("DELETE", f"/v2/pause/blobs/{DIGEST}"),
    ("OPTIONS", "/v2/"),
    ("OPTIONS", "*"),
    ("TRACE", "/v2/"),
    ("POST", "/"),
    ("PUT", "/../../etc/passwd"),
]


@pytest.mark.rule("N-4")
@pytest.mark.parametrize(("method", "target"), WRITES)
async def test_only_reading_is_allowed(method: str, target: str, tmp_path: Path) -> None:
    async with FakeRegistry() as mirror, serving(tmp_path, mirror) as served:
        got = await served.ask(method, target)
        assert got.status == 405
        assert got.header("Allow") == "GET, HEAD"
        assert got.header("Content-Type") == "application/json"
        assert json.loads(got.body)["errors"][0]["code"] == "UNSUPPORTED"
        assert mirror.requests == []


@pytest.mark.rule("N-4")
async def test_reading_an_upload_is_not_possible_either(tmp_path: Path) -> None:
    async with FakeRegistry() as mirror, serving(tmp_path, mirror) as served:
        got = await served.get(f"/v2/pause/blobs/uploads/0123{NS}")
        assert (got.status, got.header("Allow")) == (405, "GET, HEAD")


@pytest.mark.rule("N-4")
async def test_a_small_body_is_read_past_and_the_connection_goes_on(tmp_path: Path) -> None:
    pause = image(1)
    async with FakeRegistry() as mirror, serving(tmp_path, mirror) as served:
        mirror.put_image("pause", "3.1", pause)
        async with client(served.address) as one:
            await one.send("PUT", "/v2/pause/manifests/3.1", ("Content-Length", "4000"))
            await one.send_bytes(b"x" * 4000)
            assert (await one.hear()).status == 405
            got = await one.ask("GET", f"/v2/pause/manifests/3.1{NS}")
            assert (got.status, got.body) == (200, pause.manifest)


@pytest.mark.rule("N-4")
@pytest.mark.parametrize(("method", "status"), [("PUT", 405), ("GET", 413), ("HEAD", 413)])
@pytest.mark.parametrize("framing", ["length", "chunked"])
async def test_a_large_body_is_not_read(
    method: str, status: int, framing: str, tmp_path: Path
) -> None:
    """The sender hears why, and the connection ends: nothing waits for what it may never send."""
    told = ("Content-Length", "100000") if framing == "length" else ("Transfer-Encoding", "chunked")
    async with FakeRegistry() as mirror, serving(tmp_path, mirror) as served:
        async with client(served.address) as one:
            await one.send(method, f"/v2/pause/manifests/3.1{NS}", told)
            got = await one.hear(method)
            assert (got.status, got.header("Connection")) == (status, "close")
            assert await one.hear_rest() == b""
        assert mirror.requests == []


async def test_a_method_nobody_knows_is_refused(tmp_path: Path) -> None:
    async with FakeRegistry() as mirror, serving(tmp_path, mirror) as served:
        for method in ("BREW", "get", "PROPFIND"):
            assert (await served.ask(method, f"/v2/pause/tags/list{NS}")).status in {400, 405}
        assert mirror.requests == []


async def test_connect_opens_no_tunnel(tmp_path: Path) -> None:
    async with FakeRegistry() as mirror, serving(tmp_path, mirror) as served:
        async with client(served.address) as one:
            await one.send("CONNECT", mirror.host)
            assert (await one.hear()).status in {400, 405}
        assert mirror.connections == 0


@pytest.mark.rule("M-4")
@pytest.mark.parametrize("target", ["/v2/_catalog", "/v2/_catalog?n=5&ns=k8s.gcr.io"])
async def test_there_is_no_catalogue(target: str, tmp_path: Path) -> None:
    async with FakeRegistry() as mirror, serving(tmp_path, mirror) as served:
        got = await served.get(target)
        assert (got.status, mirror.requests) == (404, [])
        assert json.loads(got.body)["errors"][0]["code"] == "UNSUPPORTED"
