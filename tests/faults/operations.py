"""What clients ask for and what is right: the other axis of the matrix."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Literal

from entrepot.mirror.fetch import STRIPED_BYTES
from fakes.images import DOCKER_MANIFEST, Image, blob, image, sha256
from fakes.registry import FakeRegistry
from unit.web.serving import NS
from wire.client import Answer

Ground = Literal["manifest", "blob", "tags"]
End = Literal["right", "unproved", "refused", "cut"]

WITHHELD_BYTES = 256 * 1024
"""What no client may have before the digest is known to be right."""

IMAGE = image("matrix", layers=(150_000,))
SMALL = blob(150_001, "small")
LARGE = blob(1_200_001, "large")
STRIPED = image("striped", layers=(STRIPED_BYTES + 1_000_001,))
TAGS = ("3.0", "3.1", "latest")
_LISTING = json.dumps({"name": "pause", "tags": TAGS}).encode()


def put(mirror: FakeRegistry) -> None:
    """Everything that operations ask for."""
    for tag in TAGS:
        mirror.put_image("pause", tag, IMAGE)
    mirror.put_blob("pause", SMALL)
    mirror.put_blob("pause", LARGE)


def put_striped(mirror: FakeRegistry) -> None:
    """What the operation that fetches a blob from several mirrors at a time asks for."""
    mirror.put_image("pause", "striped", STRIPED)


@dataclass(frozen=True, slots=True)
class Request:
    """One request and the answer that is right: `body` from `start` on, `whole` being all of it."""

    method: str
    path: str
    body: bytes
    status: int = 200
    span: str = ""
    start: int = 0
    whole: bytes = b""

    @property
    def target(self) -> str:
        """Path and query."""
        return f"/v2/pause/{self.path}{NS}"

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """What goes along."""
        return (("Range", self.span),) if self.span else ()

    @property
    def provable(self) -> bool:
        """Whether it goes on to the blob's end, which is held back until all of it is proved.

        A part has to come at once (L-3); those who ask for parts have digests of their own.
        """
        return self.start + len(self.body) == len(self.whole)

    def judge(self, answer: Answer, *, wrong_bytes: bool, wrong_size: bool) -> End:
        """How it ended; AssertionError for what must never come.

        Mirrors that send `wrong_bytes` may be believed as long as nobody can know better: in a
        part of a blob, and up to the last of a whole one, which is never sent then. The same goes
        for a `wrong_size`.
        """
        if answer.status >= 400:
            assert answer.status in {404, 502, 503, 504}, answer
            if self.method != "HEAD":
                assert answer.header("Content-Type") == "application/json"
                assert json.loads(answer.body)["errors"][0]["code"]
            return "refused"
        assert answer.status == self.status, answer
        if self.method == "HEAD":
            if wrong_size and answer.length != len(self.body) and self.path.startswith("blobs/"):
                return "unproved"
            assert answer.length == len(self.body)
        elif not answer.whole:
            self._judge_cut(answer, wrong_bytes=wrong_bytes)
            return "cut"
        elif wrong_bytes and answer.body != self.body and not self.provable:
            return "unproved"
        else:
            self._judge_body(answer, wrong_size=wrong_size)
        if self.path.startswith("manifests/"):
            assert answer.header("Docker-Content-Digest") == str(sha256(self.body))
            assert answer.header("Content-Type") == DOCKER_MANIFEST
        return "right"

    def _judge_body(self, answer: Answer, *, wrong_size: bool) -> None:
        if self.path == "tags/list":
            # Nobody can prove a list of tags; it must be one.
            assert isinstance(json.loads(answer.body)["tags"], list)
            return
        assert answer.body == self.body
        if self.span:
            stop = self.start + len(self.body)
            part, _, size = (answer.header("Content-Range") or "").partition("/")
            assert part == f"bytes {self.start}-{stop - 1}"
            assert size == str(len(self.whole)) or (wrong_size and not self.provable)

    def _judge_cut(self, answer: Answer, *, wrong_bytes: bool) -> None:
        assert self.path.startswith("blobs/"), "a manifest that breaks off"
        if not wrong_bytes:
            assert answer.body == self.body[: len(answer.body)]
        elif answer.body:
            assert self.start + len(answer.body) <= len(self.whole) - WITHHELD_BYTES


@dataclass(frozen=True, slots=True)
class Operation:
    """`requests` one after the other, as far as they succeed; `ground` is what they are about."""

    name: str
    ground: Ground
    requests: tuple[Request, ...]

    @property
    def size(self) -> int:
        """The bytes of the answer that matters most, the last."""
        last = self.requests[-1]
        return len(last.whole or last.body)

    @property
    def large(self) -> bool:
        """Whether clients get some of it before it is proved."""
        return self.size > WITHHELD_BYTES

    @property
    def knows_size(self) -> bool:
        """Whether a manifest has said how long the blobs are."""
        return len(self.requests) > 1


def _blob(data: bytes, method: str = "GET") -> Request:
    return Request(method, f"blobs/{sha256(data)}", data, whole=data)


def _part(data: bytes, span: str, start: int, stop: int) -> Request:
    path = f"blobs/{sha256(data)}"
    return Request("GET", path, data[start:stop], 206, span, start, data)


def _manifest(method: str, reference: str, told: Image = IMAGE) -> Request:
    return Request(method, f"manifests/{reference}", told.manifest)


_RESUME = 700_000
_PULL = (
    _manifest("HEAD", "3.1"),
    _manifest("GET", str(IMAGE.digest)),
    _blob(IMAGE.config),
    _blob(IMAGE.layers[0]),
)

OPERATIONS: tuple[Operation, ...] = (
    Operation("head_tag", "manifest", (_manifest("HEAD", "3.1"),)),
    Operation("get_tag", "manifest", (_manifest("GET", "3.1"),)),
    Operation("get_digest", "manifest", (_manifest("GET", str(IMAGE.digest)),)),
    Operation("pull", "blob", _PULL),
    Operation("small_blob", "blob", (_blob(SMALL),)),
    Operation("large_blob", "blob", (_blob(LARGE),)),
    Operation("chunk_blob", "blob", (_part(LARGE, "bytes=0-", 0, len(LARGE)),)),
    Operation("range_blob", "blob", (_part(LARGE, "bytes=400000-699999", 400_000, 700_000),)),
    Operation("resume_blob", "blob", (_part(LARGE, f"bytes={_RESUME}-", _RESUME, len(LARGE)),)),
    Operation("head_blob", "blob", (_blob(SMALL, "HEAD"),)),
    Operation("list_tags", "tags", (Request("GET", "tags/list", _LISTING),)),
)

STRIPED_BLOB = Operation(
    "striped_blob",
    "blob",
    (_manifest("GET", "striped", STRIPED), _blob(STRIPED.layers[0])),
)
"""A blob fetched in parts from all mirrors at once, its size known by its manifest."""
