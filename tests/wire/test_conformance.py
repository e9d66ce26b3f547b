"""The checks of OCI's conformance suite that a read-only registry is put to (contract §11, N-9)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fakes.images import OCI_INDEX, OCI_MANIFEST, image, index, sha256
from fakes.registry import FakeRegistry
from unit.web.serving import Serving, registry_settings, serving

REPOSITORY = "/v2/library/busybox"
BOTH = index(
    [image(1, flavour="oci"), image(1, flavour="oci", platform="linux/arm64")], flavour="oci"
)
CHILD = BOTH.images[0]
ACCEPT = (("Accept", OCI_INDEX), ("Accept", OCI_MANIFEST))
"""Two header lines, as the suite sends them: the incumbents look at the first alone."""
RANDOM = str(sha256(b"nobody has this"))
TAGS = ["latest", "1.0", "1.10", "1.9"]


@pytest.fixture
async def busybox(tmp_path: Path) -> AsyncIterator[Serving]:
    async with FakeRegistry() as hub:
        for tag in TAGS:
            hub.put_image("library/busybox", tag, BOTH)
        registries = {"docker.io": registry_settings(hub)}
        listen = {"address": "127.0.0.1:0", "registry": "docker.io"}
        async with serving(tmp_path, registries=registries, listen=listen) as served:
            yield served


pytestmark = pytest.mark.rule("§11")


@pytest.mark.rule("N-9", "S-8")
async def test_ping(busybox: Serving) -> None:
    assert (await busybox.get("/v2/")).status == 200


@pytest.mark.rule("N-1", "N-9", "X-6")
@pytest.mark.parametrize("method", ["HEAD", "GET"])
@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("latest", BOTH),
        ("1.0", BOTH),
        (str(BOTH.digest), BOTH),
        (str(CHILD.digest), CHILD),
    ],
    ids=["latest", "1.0", "index by digest", "image by digest"],
)
async def test_manifests(method: str, reference: str, expected: object, busybox: Serving) -> None:
    assert isinstance(expected, type(BOTH) | type(CHILD))
    got = await busybox.ask(method, f"{REPOSITORY}/manifests/{reference}", *ACCEPT)
    assert got.status == 200
    assert got.length == len(expected.manifest)
    assert got.header("Docker-Content-Digest") == str(expected.digest)
    assert got.header("Content-Type") == json.loads(expected.manifest)["mediaType"]
    assert got.body == (expected.manifest if method == "GET" else b"")


@pytest.mark.rule("N-1", "N-9")
@pytest.mark.parametrize("method", ["HEAD", "GET"])
@pytest.mark.parametrize("data", [CHILD.config, CHILD.layers[0]], ids=["config", "layer"])
async def test_blobs(method: str, data: bytes, busybox: Serving) -> None:
    digest = str(sha256(data))
    got = await busybox.ask(method, f"{REPOSITORY}/blobs/{digest}")
    assert (got.status, got.length) == (200, len(data))
    assert got.header("Docker-Content-Digest") == digest
    assert got.body == (data if method == "GET" else b"")


@pytest.mark.rule("N-9")
@pytest.mark.parametrize("method", ["HEAD", "GET"])
@pytest.mark.parametrize("kind", ["manifests", "blobs"])
async def test_what_is_not_there_is_404(kind: str, method: str, busybox: Serving) -> None:
    assert (await busybox.ask(method, f"{REPOSITORY}/{kind}/{RANDOM}", *ACCEPT)).status == 404
    if kind == "manifests":
        assert (await busybox.ask(method, f"{REPOSITORY}/manifests/nope", *ACCEPT)).status == 404


@pytest.mark.rule("N-9")
@pytest.mark.parametrize("method", ["HEAD", "GET"])
@pytest.mark.parametrize("kind", ["manifests", "blobs", "referrers"])
async def test_a_bad_digest_is_the_clients_mistake(
    kind: str, method: str, busybox: Serving
) -> None:
    got = await busybox.ask(method, f"{REPOSITORY}/{kind}/sha256:baddigeststring", *ACCEPT)
    assert got.status in {400, 404}


@pytest.mark.rule("N-9", "N-2", "N-3")
async def test_referrers_of_a_random_digest(busybox: Serving) -> None:
    got = await busybox.get(f"{REPOSITORY}/referrers/{RANDOM}")
    assert (got.status, got.header("Content-Type")) == (200, OCI_INDEX)
    listed = json.loads(got.body)
    assert listed == {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}


@pytest.mark.rule("N-9", "N-2")
async def test_the_tag_list_and_its_order(busybox: Serving) -> None:
    ordered = sorted(TAGS)
    listed = json.loads((await busybox.get(f"{REPOSITORY}/tags/list")).body)
    assert listed == {"name": "library/busybox", "tags": ordered}
    for place, last in enumerate(ordered):
        after = await busybox.get(f"{REPOSITORY}/tags/list?last={last}")
        assert json.loads(after.body)["tags"] == ordered[place + 1 :]
    none = await busybox.get(f"{REPOSITORY}/tags/list?n=0")
    assert (json.loads(none.body)["tags"], none.header("Link")) == ([], None)


@pytest.mark.rule("N-2")
async def test_a_limited_tag_list_links_to_the_next(busybox: Serving) -> None:
    got = await busybox.get(f"{REPOSITORY}/tags/list?n=3")
    assert json.loads(got.body)["tags"] == sorted(TAGS)[:3]
    link = got.header("Link") or ""
    assert link.startswith(f"<{REPOSITORY}/tags/list?")
    rest = await busybox.get(link.removeprefix("<").partition(">")[0])
    assert json.loads(rest.body)["tags"] == sorted(TAGS)[3:]
