"""curl says what dockerd says, byte for byte where it matters, and looks at every header."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from multidict import CIMultiDict

from fakes.images import Image, Index, image, index, sha256
from laboratory import Laboratory
from programs import require_program
from programs.daemon import run

pytestmark = pytest.mark.integration

# In dockerd's order, each on a line of its own.
ACCEPTED = (
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v1+prettyjws",
    "application/json",
)
LAYER_BYTES = 300_000


@dataclass(frozen=True, slots=True)
class Answer:
    """What curl was told."""

    status: int
    headers: CIMultiDict[str]
    body: bytes


class Curl:
    """dockerd's requests to its mirror; `User-Agent` and all."""

    def __init__(self, laboratory: Laboratory) -> None:
        self._url = laboratory.url
        self._environment = laboratory.environment
        self._head = laboratory.directory / "head"
        self._body = laboratory.directory / "body"

    async def ask(self, path: str, *options: str, accept: tuple[str, ...] = ()) -> Answer:
        self._body.unlink(missing_ok=True)
        lines = [word for one in accept for word in ("--header", f"Accept: {one}")]
        command: list[str | Path] = [
            *(require_program("curl"), "--silent", "--show-error", "--http1.1", "--max-time", "20"),
            *("--user-agent", "docker/20.10.24 go/go1.19.8 UpstreamClient(Docker-Client/20.10.24)"),
            *("--dump-header", self._head, "--output", self._body),
        ]
        await run(*command, *lines, *options, f"{self._url}{path}", environment=self._environment)
        first, *rest = self._head.read_text().splitlines()
        pairs = (line.partition(":") for line in rest if line)
        headers = CIMultiDict((name, value.strip()) for name, _, value in pairs)
        body = self._body.read_bytes() if self._body.exists() else b""
        return Answer(int(first.split()[1]), headers, body)


@pytest.fixture
async def laboratory(tmp_path: Path) -> AsyncIterator[Laboratory]:
    """docker.io/library/pause:3.1, which dockerd asks for without saying docker.io."""
    one = image("curl", layers=(LAYER_BYTES,))
    async with Laboratory(tmp_path, index([one]), default="docker.io") as laboratory:
        yield laboratory


@pytest.mark.rule("S-8")
async def test_ping(laboratory: Laboratory) -> None:
    answer = await Curl(laboratory).ask("/v2/")
    assert answer.status == 200
    assert answer.headers["Docker-Distribution-Api-Version"] == "registry/2.0"
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.body == b"{}"


@pytest.mark.rule("D-2", "D-3", "C-13", "X-1", "X-6")
async def test_head_of_a_tag_then_its_digest_then_its_platform(laboratory: Laboratory) -> None:
    curl = Curl(laboratory)
    head = await curl.ask("/v2/library/pause/manifests/3.1", "--head", accept=ACCEPTED)
    assert head.status == 200
    assert head.headers.getall("Docker-Content-Digest") == [laboratory.digest]
    assert head.headers.getall("Content-Length") == [str(len(laboratory.index.manifest))]
    assert head.headers.getall("Content-Type") == [laboratory.index.media_type]
    manifests: list[Index | Image] = [laboratory.index, *laboratory.index.images]
    for one in manifests:
        got = await curl.ask(f"/v2/library/pause/manifests/{one.digest}", accept=ACCEPTED)
        assert got.status == 200
        assert got.body == one.manifest
        assert got.headers["Docker-Content-Digest"] == str(one.digest)
        assert got.headers["Content-Type"] == one.media_type


@pytest.mark.rule("D-4", "T-5", "L-8", "C-12")
async def test_layer_whole_then_resumed(laboratory: Laboratory) -> None:
    curl = Curl(laboratory)
    (one,) = laboratory.index.images
    (layer,) = one.layers
    path = f"/v2/library/pause/blobs/{sha256(layer)}"
    whole = await curl.ask(path)
    assert whole.status == 200
    assert whole.headers.getall("Content-Length") == [str(LAYER_BYTES)]
    assert "Content-Encoding" not in whole.headers
    assert whole.body == layer
    for start in (1, 100_000, LAYER_BYTES - 1):
        tail = await curl.ask(path, "--header", f"Range: bytes={start}-")
        assert tail.status == 206
        assert tail.headers.getall("Content-Range") == [
            f"bytes {start}-{LAYER_BYTES - 1}/{LAYER_BYTES}"
        ]
        assert tail.body == layer[start:]


@pytest.mark.rule("D-4", "T-5")
async def test_layer_resumed_before_anybody_has_fetched_it(laboratory: Laboratory) -> None:
    """The first request of all is the resume: dockerd kept its part, Entrepot was emptied."""
    (one,) = laboratory.index.images
    (layer,) = one.layers
    tail = await Curl(laboratory).ask(
        f"/v2/library/pause/blobs/{sha256(layer)}", "--header", "Range: bytes=200000-"
    )
    assert tail.status == 206
    assert tail.headers["Content-Range"] == f"bytes 200000-{LAYER_BYTES - 1}/{LAYER_BYTES}"
    assert tail.body == layer[200_000:]


@pytest.mark.rule("E-4", "F-9")
async def test_a_tag_nobody_has_is_404_in_the_form_dockerd_reads(laboratory: Laboratory) -> None:
    answer = await Curl(laboratory).ask("/v2/library/pause/manifests/9.9", accept=ACCEPTED)
    assert answer.status == 404
    assert answer.headers["Content-Type"] == "application/json"
    assert json.loads(answer.body)["errors"][0]["code"] == "MANIFEST_UNKNOWN"
