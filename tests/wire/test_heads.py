"""What the head of every kind of answer says (contract §8), and aiohttp's traps (contract §7)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from entrepot.oci.mediatype import DOCKER_MANIFEST, OCI_INDEX, OCTET_STREAM
from fakes.images import Image, blob, image, index
from fakes.registry import FakeRegistry, Fault
from unit.web.serving import NS, serving
from wire.client import Answer, client

LAYER_BYTES = 700_000
BOTH = index([image(1, layers=(LAYER_BYTES,)), image(1, platform="linux/arm64")], flavour="oci")
AMD64: Image = BOTH.images[0]
LAYER = AMD64.layers[0]
UNKNOWN = "sha256:" + "0" * 64


def put_all(mirror: FakeRegistry) -> str:
    """The index under pause:3.1; the answer is the digest of its big layer."""
    mirror.put_image("pause", "3.1", BOTH)
    return str(mirror.put_blob("pause", LAYER))


@pytest.mark.rule("§8", "C-13", "C-14", "N-1", "G-2", "D-3", "O-1", "Q-2", "X-1")
@pytest.mark.parametrize("state", ["cold", "warm"])
@pytest.mark.parametrize("method", ["HEAD", "GET"])
@pytest.mark.parametrize("by", ["tag", "digest"])
async def test_the_head_of_a_manifest(method: str, by: str, state: str, tmp_path: Path) -> None:
    async with FakeRegistry() as mirror, serving(tmp_path, mirror) as served:
        put_all(mirror)
        target = f"/v2/pause/manifests/{'3.1' if by == 'tag' else BOTH.digest}{NS}"
        if state == "warm":
            await served.get(target)
        got = await served.ask(method, target)
        assert got.status == 200
        assert got.header("Content-Type") == OCI_INDEX
        assert got.length == len(BOTH.manifest)
        assert got.header("Docker-Content-Digest") == str(BOTH.digest)
        assert got.header("ETag") == f'"{BOTH.digest}"'
        assert got.header("Docker-Distribution-Api-Version") == "registry/2.0"
        assert got.header("OCI-Namespace") == "k8s.gcr.io"
        assert got.header("Content-Encoding") is got.header("Transfer-Encoding") is None
        assert got.body == (BOTH.manifest if method == "GET" else b"")


@pytest.mark.rule("§8", "L-8", "N-1", "O-2", "G-3", "Q-2", "X-1")
@pytest.mark.parametrize("state", ["cold", "warm"])
@pytest.mark.parametrize("method", ["HEAD", "GET"])
async def test_the_head_of_a_blob(method: str, state: str, tmp_path: Path) -> None:
    async with FakeRegistry() as mirror, serving(tmp_path, mirror) as served:
        digest = put_all(mirror)
        target = f"/v2/pause/blobs/{digest}{NS}"
        if state == "warm":
            await served.get(target)
        got = await served.ask(method, target)
        assert got.status == 200
        assert got.header("Content-Type") == OCTET_STREAM
        assert got.length == LAYER_BYTES
        assert got.header("Docker-Content-Digest") == digest
        assert got.header("ETag") == f'"{digest}"'
        assert got.header("Accept-Ranges") == "bytes"
        assert got.header("OCI-Namespace") == "k8s.gcr.io"
        assert got.header("Content-Range") is got.header("Transfer-Encoding") is None
        assert got.body == (LAYER if method == "GET" else b"")


@pytest.mark.rule("§8", "L-8", "T-5", "T-6")
@pytest.mark.parametrize("state", ["cold", "warm"])
async def test_the_head_of_a_part_of_a_blob(state: str, tmp_path: Path) -> None:
    async with FakeRegistry() as mirror, serving(tmp_path, mirror) as served:
        digest = put_all(mirror)
        target = f"/v2/pause/blobs/{digest}{NS}"
        if state == "warm":
            await served.get(target)
        got = await served.get(target, ("Range", "bytes=500-1499"))
        assert got.status == 206
        assert got.header("Content-Range") == f"bytes 500-1499/{LAYER_BYTES}"
        assert got.length == 1000
        assert got.header("Content-Type") == OCTET_STREAM
        assert got.header("Docker-Content-Digest") == digest
        assert got.header("ETag") == f'"{digest}"'
        assert got.header("Accept-Ranges") == "bytes"
        assert got.body == LAYER[500:1500]


@pytest.mark.rule("§8", "T-8")
@pytest.mark.parametrize("state", ["cold", "warm"])
async def test_the_head_of_a_range_past_the_end(state: str, tmp_path: Path) -> None:
    async with FakeRegistry() as mirror, serving(tmp_path, mirror) as served:
        digest = put_all(mirror)
        target = f"/v2/pause/blobs/{digest}{NS}"
        if state == "warm":
            await served.get(target)
        got = await served.get(target, ("Range", f"bytes={LAYER_BYTES}-"))
        assert got.status == 416
        assert got.header("Content-Range") == f"bytes */{LAYER_BYTES}"
        assert_is_error(got)


@pytest.mark.rule("§8", "E-4", "N-4")
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    ("target", "status", "code"),
    [
        ("/v2/pause/manifests/none", 404, "MANIFEST_UNKNOWN"),
        (f"/v2/pause/manifests/{UNKNOWN}", 404, "MANIFEST_UNKNOWN"),
        (f"/v2/pause/blobs/{UNKNOWN}", 404, "BLOB_UNKNOWN"),
        ("/v2/none/tags/list", 404, "NAME_UNKNOWN"),
        ("/v2/_catalog", 404, "UNSUPPORTED"),
        ("/v2/pause/blobs/sha256:bad", 400, "DIGEST_INVALID"),
        ("/v2/pause/manifests/%20", 400, "TAG_INVALID"),
        ("/v2/PAUSE/manifests/3.1", 400, "NAME_INVALID"),
    ],
)
async def test_the_head_of_an_error(
    target: str, status: int, code: str, method: str, tmp_path: Path
) -> None:
    async with FakeRegistry() as mirror, serving(tmp_path, mirror) as served:
        put_all(mirror)
        got = await served.ask(method, target + NS)
        assert got.status == status
        assert got.header("Content-Type") == "application/json"
        assert got.length is not None
        if method == "HEAD":
            assert got.body == b""
        else:
            assert assert_is_error(got) == code


@pytest.mark.rule("E-2", "N-4")
@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_client_is_told_when_to_come_back(status: int, tmp_path: Path) -> None:
    async with FakeRegistry() as mirror, serving(tmp_path, mirror) as served:
        mirror.fault(Fault("status", status=status, times=None))
        got = await served.get(f"/v2/pause/manifests/3.1{NS}")
        assert got.status in {502, 503}
        assert int(got.header("Retry-After") or 0) > 0


def assert_is_error(got: Answer) -> str:
    """The OCI code; an error of this server is JSON without parameters in its type."""
    assert got.header("Content-Type") == "application/json"
    (error,) = json.loads(got.body)["errors"]
    assert error["message"]
    return str(error["code"])


@pytest.mark.rule("X-2", "N-1")
async def test_nothing_follows_the_head_of_a_head_and_the_connection_goes_on(
    tmp_path: Path,
) -> None:
    """A stray byte would stand in front of the next answer's status line."""
    async with FakeRegistry() as mirror, serving(tmp_path, mirror) as served:
        digest = put_all(mirror)
        async with client(served.address) as one:
            for _ in range(2):
                for target in (
                    f"/v2/pause/manifests/3.1{NS}",
                    f"/v2/pause/manifests/{BOTH.digest}{NS}",
                    f"/v2/pause/blobs/{digest}{NS}",
                    f"/v2/pause/blobs/{UNKNOWN}{NS}",
                    f"/v2/pause/tags/list{NS}",
                    f"/v2/pause/referrers/{BOTH.digest}{NS}",
                    "/v2/",
                    "/",
                    "/nothing",
                ):
                    head = await one.ask("HEAD", target)
                    got = await one.ask("GET", target)
                    assert (got.status, got.whole) == (head.status, True)
                    assert got.status != 200 or got.length == head.length
                    assert got.header("Content-Type") == head.header("Content-Type")


@pytest.mark.rule("X-2")
async def test_pipelined_requests_are_answered_in_order(tmp_path: Path) -> None:
    async with FakeRegistry() as mirror, serving(tmp_path, mirror) as served:
        digest = put_all(mirror)
        async with client(served.address) as one:
            for method, target in (
                ("HEAD", f"/v2/pause/manifests/3.1{NS}"),
                ("GET", f"/v2/pause/blobs/{digest}{NS}"),
                ("GET", f"/v2/pause/manifests/3.1{NS}"),
            ):
                await one.send(method, target)
            assert (await one.hear("HEAD")).length == len(BOTH.manifest)
            assert (await one.hear()).body == LAYER
            assert (await one.hear()).body == BOTH.manifest


@pytest.mark.rule("X-3", "C-14", "G-2")
@pytest.mark.parametrize("kind", [DOCKER_MANIFEST, "application/vnd.example.odd+json"])
async def test_no_parameters_are_added_to_a_type(kind: str, tmp_path: Path) -> None:
    async with FakeRegistry() as mirror, serving(tmp_path, mirror) as served:
        pause = image("plain")
        mirror.put_manifest("pause", "3.1", pause.manifest, pause.media_type)
        for target in (f"/v2/pause/manifests/3.1{NS}", f"/v2/pause/tags/list{NS}", "/v2/"):
            got = await served.get(target)
            assert ";" not in (got.header("Content-Type") or ";")


@pytest.mark.rule("X-5", "C-12")
@pytest.mark.parametrize(
    "accept", ["zstd;q=1.0, gzip;q=0.8, deflate;q=0.5", "gzip", "gzip, br, *", "br"]
)
async def test_nothing_is_ever_encoded(accept: str, tmp_path: Path) -> None:
    """And nothing that lies beside a blob on the disk is taken for a smaller copy of it."""
    async with FakeRegistry() as mirror, serving(tmp_path, mirror) as served:
        digest = put_all(mirror)
        coding = ("Accept-Encoding", accept)
        targets = {
            f"/v2/pause/manifests/3.1{NS}": BOTH.manifest,
            f"/v2/pause/manifests/{BOTH.digest}{NS}": BOTH.manifest,
            f"/v2/pause/blobs/{digest}{NS}": LAYER,
        }
        for _ in range(2):
            for target, body in targets.items():
                got = await served.get(target, coding)
                assert (got.header("Content-Encoding"), got.body) == (None, body)
            await served.until_filled()
            (stored,) = (tmp_path / "cache").rglob(f"*{digest.partition(':')[2]}")
            for suffix in (".gz", ".br", ".zst"):
                stored.with_name(stored.name + suffix).write_bytes(b"not the blob")
        for one in mirror.requests:
            assert one.headers.get("Accept-Encoding") == "identity"


@pytest.mark.rule("X-6")
async def test_accept_on_several_lines_is_as_good_as_on_one(tmp_path: Path) -> None:
    async with FakeRegistry() as mirror, serving(tmp_path, mirror) as served:
        put_all(mirror)
        lines = [("Accept", kind) for kind in ("application/json", DOCKER_MANIFEST, OCI_INDEX)]
        got = await served.get(f"/v2/pause/manifests/3.1{NS}", *lines)
        assert (got.status, got.body) == (200, BOTH.manifest)


@pytest.mark.rule("N-5", "A-1", "A-2", "P-5")
async def test_nothing_of_a_mirrors_own_headers_comes_through(tmp_path: Path) -> None:
    async with FakeRegistry(ratelimit=(100, 60)) as mirror, serving(tmp_path, mirror) as served:
        put_all(mirror)
        mirror.fault(
            Fault(
                "status",
                status=401,
                times=None,
                path="/manifests/denied",
                headers={
                    "WWW-Authenticate": 'Bearer realm="https://auth.example/token"',
                    "Set-Cookie": "a=b",
                    "Alt-Svc": "h3",
                    "X-Registry-Supports-Signatures": "1",
                },
            )
        )
        ours = {
            "content-type", "content-length", "docker-content-digest", "etag", "server", "date",
            "docker-distribution-api-version", "oci-namespace", "entrepot-source", "retry-after",
        }  # fmt: skip
        for tag in ("3.1", "denied"):
            got = await served.get(f"/v2/pause/manifests/{tag}{NS}")
            assert {name.lower() for name, _ in got.headers} <= ours
            assert got.status == (200 if tag == "3.1" else 502)


@pytest.mark.rule("G-4", "N-6", "U-4")
async def test_a_mirrors_redirect_is_followed_and_never_passed_on(tmp_path: Path) -> None:
    async with (
        FakeRegistry(redirect_blobs_to="cdn") as mirror,
        serving(tmp_path, mirror) as served,
    ):
        digest = put_all(mirror)
        for method in ("HEAD", "GET", "HEAD"):
            got = await served.ask(method, f"/v2/pause/blobs/{digest}{NS}")
            assert (got.status, got.header("Location")) == (200, None)
            assert got.length == LAYER_BYTES


@pytest.mark.rule("T-8", "F-7")
@pytest.mark.parametrize("span", [None, "bytes=0-"])
async def test_an_empty_blob(span: str | None, tmp_path: Path) -> None:
    async with FakeRegistry() as mirror, serving(tmp_path, mirror) as served:
        digest = mirror.put_blob("pause", b"")
        headers = [("Range", span)] if span else []
        for _ in range(2):
            got = await served.get(f"/v2/pause/blobs/{digest}{NS}", *headers)
            assert (got.status, got.length, got.body, got.whole) == (200, 0, b"", True)


@pytest.mark.rule("C-16")
async def test_what_is_a_manifest_is_no_blob(tmp_path: Path) -> None:
    async with FakeRegistry() as mirror, serving(tmp_path, mirror) as served:
        put_all(mirror)
        mirror.put_blob("pause", BOTH.manifest)
        mirror.put_blob("pause", AMD64.manifest)
        await served.get(f"/v2/pause/manifests/3.1{NS}")
        for digest in (BOTH.digest, AMD64.digest):
            for method in ("HEAD", "GET"):
                got = await served.ask(method, f"/v2/pause/blobs/{digest}{NS}")
                assert got.status == 404


async def test_a_body_of_noise_keeps_every_byte(tmp_path: Path) -> None:
    """Several slices of sendfile, and sizes round about the part that is withheld."""
    async with FakeRegistry() as mirror, serving(tmp_path, mirror) as served:
        for size in (1, 262_143, 262_144, 262_145, 9_000_001):
            data = blob(size, "noise")
            digest = mirror.put_blob("pause", data)
            for _ in range(2):
                got = await served.get(f"/v2/pause/blobs/{digest}{NS}")
                assert got.body == data
