"""What any registry does for somebody who pulls from it.

`content(push)` says what must have been pushed; every `check_…` takes the registry's base URL.
`CHECKS` names them all, for `pytest.mark.parametrize`.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import urljoin

import aiohttp

from fakes.images import (
    DOCKER_LIST,
    DOCKER_MANIFEST,
    OCI_INDEX,
    OCI_MANIFEST,
    Image,
    Index,
    image,
    index,
    sha256,
)

REPOSITORY = "library/contract"
DOCKER = index([image("contract"), image("contract", platform="linux/arm64/v8")])
OCI = index([image("contract", layers=(5000, 10), flavour="oci")], flavour="oci")
CONTENT: Mapping[str, Image | Index] = {"docker": DOCKER, "oci": OCI, "single": DOCKER.images[0]}
LAYER = OCI.images[0].layers[0]
ABSENT = f"sha256:{'0' * 64}"
ACCEPT = f"{DOCKER_MANIFEST}, {DOCKER_LIST}, {OCI_MANIFEST}, {OCI_INDEX}"

Check = Callable[[str], Awaitable[None]]


async def _ask(
    url: str, method: str = "GET", **headers: str
) -> tuple[int, Mapping[str, str], bytes]:
    sent = {"Accept": ACCEPT, "Accept-Encoding": "identity", **headers}
    async with (
        aiohttp.ClientSession(auto_decompress=False) as client,
        client.request(method, url, headers=sent) as answer,
    ):
        return answer.status, answer.headers, await answer.read()


def _manifest(base: str, reference: object) -> str:
    return f"{base}/v2/{REPOSITORY}/manifests/{reference}"


def _blob(base: str, digest: object) -> str:
    return f"{base}/v2/{REPOSITORY}/blobs/{digest}"


async def check_ping(base: str) -> None:
    status, headers, _ = await _ask(f"{base}/v2/")
    assert status == 200
    assert headers["Docker-Distribution-Api-Version"] == "registry/2.0"


async def check_manifest_by_tag_and_digest(base: str) -> None:
    for tag, pushed in CONTENT.items():
        for reference in (tag, pushed.digest):
            status, headers, body = await _ask(_manifest(base, reference))
            assert status == 200
            assert body == pushed.manifest
            assert headers["Content-Type"] == pushed.media_type
            assert headers["Docker-Content-Digest"] == str(pushed.digest)
            assert headers["Content-Length"] == str(len(pushed.manifest))


async def check_children_of_an_index(base: str) -> None:
    for child in (*DOCKER.images, *OCI.images):
        status, headers, body = await _ask(_manifest(base, child.digest))
        assert (status, body) == (200, child.manifest)
        assert headers["Content-Type"] == child.media_type


async def check_head_of_a_manifest_tells_all_but_the_body(base: str) -> None:
    for reference in ("docker", DOCKER.digest, "oci"):
        wanted = OCI if reference == "oci" else DOCKER
        status, headers, body = await _ask(_manifest(base, reference), "HEAD")
        assert (status, body) == (200, b"")
        assert headers["Content-Type"] == wanted.media_type
        assert headers["Docker-Content-Digest"] == str(wanted.digest)
        assert headers["Content-Length"] == str(len(wanted.manifest))


async def check_absent_manifest(base: str) -> None:
    for reference in ("absent", ABSENT):
        status, headers, body = await _ask(_manifest(base, reference))
        assert status == 404, body
        assert headers["Content-Type"].partition(";")[0] == "application/json"
        assert json.loads(body)["errors"][0]["code"] == "MANIFEST_UNKNOWN"
        status, _, body = await _ask(_manifest(base, reference), "HEAD")
        assert (status, body) == (404, b"")


async def check_absent_repository(base: str) -> None:
    status, _, body = await _ask(f"{base}/v2/library/absent/tags/list")
    assert status == 404
    assert json.loads(body)["errors"][0]["code"] == "NAME_UNKNOWN"


async def check_blob(base: str) -> None:
    for one in (*DOCKER.images, *OCI.images):
        for data in one.blobs:
            status, headers, body = await _ask(_blob(base, sha256(data)))
            assert (status, body) == (200, data)
            assert headers["Content-Length"] == str(len(data))
            assert headers["Docker-Content-Digest"] == str(sha256(data))


async def check_head_of_a_blob(base: str) -> None:
    status, headers, body = await _ask(_blob(base, sha256(LAYER)), "HEAD")
    assert (status, body) == (200, b"")
    assert headers["Content-Length"] == str(len(LAYER))
    assert headers["Docker-Content-Digest"] == str(sha256(LAYER))


async def check_absent_blob(base: str) -> None:
    status, headers, body = await _ask(_blob(base, ABSENT))
    assert status == 404
    assert headers["Content-Type"].partition(";")[0] == "application/json"
    assert json.loads(body)["errors"][0]["code"] == "BLOB_UNKNOWN"
    status, _, body = await _ask(_blob(base, ABSENT), "HEAD")
    assert (status, body) == (404, b"")


async def check_manifest_is_no_blob(base: str) -> None:
    """C-16: what is known as a manifest is not there as a blob of another kind with other bytes."""
    status, _, body = await _ask(_blob(base, DOCKER.digest))
    assert status == 404 or body == DOCKER.manifest


async def check_range_of_a_blob(base: str) -> None:
    size = len(LAYER)
    expected = {
        "bytes=0-": (0, size),
        "bytes=0-0": (0, 1),
        "bytes=500-1499": (500, 1500),
        "bytes=500-": (500, size),
        "bytes=-500": (size - 500, size),
        f"bytes=-{size + 500}": (0, size),
        f"bytes=2000-{size + 5000}": (2000, size),
        f"bytes={size - 1}-": (size - 1, size),
    }
    for asked, (start, stop) in expected.items():
        status, headers, body = await _ask(_blob(base, sha256(LAYER)), Range=asked)
        assert status == 206, asked
        assert body == LAYER[start:stop], asked
        assert headers["Content-Range"] == f"bytes {start}-{stop - 1}/{size}", asked
        assert headers["Content-Length"] == str(stop - start), asked


async def check_range_past_the_end(base: str) -> None:
    size = len(LAYER)
    for asked in (f"bytes={size}-", f"bytes={size + 5000}-{size + 6000}"):
        # The body is left unread: distribution 2.8 says it is as long as the blob, and hangs up.
        async with (
            aiohttp.ClientSession() as client,
            client.get(_blob(base, sha256(LAYER)), headers={"Range": asked}) as answer,
        ):
            assert answer.status == 416, asked
            assert answer.headers["Content-Range"] == f"bytes */{size}", asked


async def check_tags(base: str) -> None:
    url, found = f"{base}/v2/{REPOSITORY}/tags/list?n=2", []
    for _ in CONTENT:
        status, headers, body = await _ask(url)
        assert status == 200
        listed = json.loads(body)
        assert listed["name"] == REPOSITORY
        found += listed["tags"]
        if "Link" not in headers:
            break
        target, _, relation = headers["Link"].partition(">")
        assert 'rel="next"' in relation
        url = urljoin(url, target.removeprefix("<"))
    assert sorted(found) == sorted(CONTENT)


CHECKS: tuple[Check, ...] = (
    check_ping,
    check_manifest_by_tag_and_digest,
    check_children_of_an_index,
    check_head_of_a_manifest_tells_all_but_the_body,
    check_absent_manifest,
    check_absent_repository,
    check_blob,
    check_head_of_a_blob,
    check_absent_blob,
    check_manifest_is_no_blob,
    check_range_of_a_blob,
    check_range_past_the_end,
    check_tags,
)
