"""Requests of real clients, recorded once, sent again header for header.

The images they pulled are replaced by synthetic ones of the same shape, digest by digest; the
status is the recorded one and the content is right.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from fakes.images import Image, Index, image, index, sha256
from fakes.registry import FakeRegistry
from unit.web.serving import Serving, registry_settings, serving
from wire.client import Answer, client

_FILE = Path(__file__).parents[1] / "data" / "client-requests.jsonl"
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_MEDIUM_LAYER_BYTES = 20_983_383


@dataclass(frozen=True, slots=True)
class Request:
    """One recorded request and what it was answered with."""

    client: str
    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    status: int
    body_bytes: int


def recorded() -> dict[str, list[Request]]:
    """The requests of each client, in their order."""
    sessions: dict[str, list[Request]] = {}
    for line in _FILE.read_text().splitlines():
        one = json.loads(line)
        headers = tuple((str(name), str(value)) for name, value in one["headers"])
        request = Request(
            one["client"],
            one["method"],
            one["target"],
            headers,
            one["status"],
            one["body_bytes_sent"],
        )
        sessions.setdefault(request.client, []).append(request)
    return sessions


SESSIONS = recorded()


def pushed(name: str) -> Index:
    """What stands for the image that was pulled as `name`."""
    if name.endswith("medium"):
        return index([image("medium", layers=(_MEDIUM_LAYER_BYTES,))])
    return index([image("pause", layers=(328_708,))])


def stand_ins(both: Index, requests: list[Request]) -> dict[str, bytes]:
    """Recorded digest -> content that stands for it, told apart by what was asked about it."""
    found: dict[str, bytes] = {}
    one: Image = both.images[0]
    sizes: dict[str, int] = {}
    for request in requests:
        for digest in _DIGEST.findall(request.target):
            sizes[digest] = max(sizes.get(digest, 0), request.body_bytes)
            if "/blobs/" in request.target:
                found[digest] = one.config if sizes[digest] < 1000 else one.layers[0]
    manifests = [d for d in sizes if d not in found]
    tagged = any(re.search(r"/manifests/(?!sha256:)", request.target) for request in requests)
    # The index is what a tag leads to first; who asks by digest, or picks from the index that
    # came with the tag, asks for the image alone.
    listed = tagged and len(manifests) == 2
    for number, digest in enumerate(manifests):
        found[digest] = both.manifest if listed and number == 0 else one.manifest
    return found


def contents(both: Index) -> dict[str, bytes]:
    """Everything a push of `both` brings, under its digest."""
    one = both.images[0]
    return {str(sha256(data)): data for data in (*one.blobs, one.manifest, both.manifest)}


async def replay(served: Serving, address: str, request: Request, target: str) -> Answer:
    """Send it as it was sent; leave when the real client had all it wanted."""
    async with client(address) as one:
        await one.send(request.method, target, *request.headers)
        if request.status != 206:
            return await one.hear(request.method)
        head = await one.hear_head()
        wanted = min(request.body_bytes, head.length or 0)
        body = await one.hear_bytes(wanted)
        one.leave()
        return Answer(head.version, head.status, head.headers, body)


@pytest.mark.rule("S-1", "S-3", "C-11", "C-12", "D-2", "P-2", "B-1", "T-6", "T-7", "G-5")
@pytest.mark.parametrize("session", SESSIONS.values(), ids=SESSIONS.keys())
async def test_a_recorded_pull_works_again(session: list[Request], tmp_path: Path) -> None:
    name = "medium" if "/medium/" in session[-1].target else "pause"
    both = pushed(name)
    substitutes = stand_ins(both, session)
    known = contents(both)
    digests = {old: str(sha256(data)) for old, data in substitutes.items()}
    default = "docker.io" if session[0].client.startswith("dockerd") else "k8s.gcr.io"
    async with FakeRegistry() as mirror:
        for repository in (name, f"library/{name}", f"test/{name}"):
            for tag in ("3.1", "v1"):
                mirror.put_image(repository, tag, both)
        registries = {
            "registry.k8s.io": registry_settings(mirror, aliases=["k8s.gcr.io"]),
            "docker.io": registry_settings(mirror),
        }
        listen = {"address": "127.0.0.1:0", "registry": default}
        async with serving(tmp_path, registries=registries, listen=listen) as served:
            for request in session:
                target = _DIGEST.sub(lambda found: digests[found[0]], request.target)
                got = await replay(served, served.address, request, target)
                assert (got.status, got.whole) == (request.status, True), request
                assert_right(request, target, got, known, both)
            await served.until_filled()


def assert_right(
    request: Request, target: str, got: Answer, known: dict[str, bytes], both: Index
) -> None:
    """The body is the content asked for, from where it was asked, as much as was wanted."""
    if request.method == "HEAD":
        assert got.header("Docker-Content-Digest") in known
        assert got.length == len(known[got.header("Docker-Content-Digest") or ""])
        return
    asked = _DIGEST.search(target)
    if "/tags/list" in target:
        assert "3.1" in json.loads(got.body)["tags"]
    elif asked is not None:
        spans = [value for key, value in request.headers if key == "Range" and got.status == 206]
        start = int(spans[0].removeprefix("bytes=").removesuffix("-")) if spans else 0
        whole = known[asked[0]][start:]
        assert got.length == len(whole)
        assert got.body == whole[: len(got.body)]
        assert len(got.body) == (min(len(whole), request.body_bytes) if spans else len(whole))
    elif "/manifests/" in target:
        assert got.body == both.manifest
    else:
        assert got.body == b"{}"


def test_the_recording_is_of_many_clients() -> None:
    assert len(SESSIONS) >= 20
    names = " ".join(SESSIONS)
    for client_name in ("containerd 1.6", "containerd 2", "skopeo", "podman", "crane", "dockerd"):
        assert client_name in names
