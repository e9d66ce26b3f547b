"""Whether an answer to a blob GET can be what was asked for, judged by its head alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from entrepot.errors import BlockPage, MirrorFailed, MirrorLied, OtherLength
from entrepot.oci.mediatype import bare
from entrepot.upstream.contentrange import parse_content_range

MOST_DISCARDED_BYTES = 8 << 20
"""What is read for nothing at most, when a mirror ignores a range (P12)."""


@dataclass(frozen=True, slots=True)
class BlobAnswer:
    """`size` of the whole blob when it is known; `skip` bytes come before the ones wanted.

    `stop` is where the body ends, an offset in the blob: `size` unless a part was sent.
    """

    size: int | None
    skip: int = 0
    stop: int | None = None


def judge_blob(
    status: int, headers: Mapping[str, str], *, start: int, expected_size: int | None
) -> BlobAnswer:
    """Judge a 200, 206 or 416 to a GET from `start` on.

    MirrorLied for what cannot be true: a web page, an encoding, another range than the one asked
    for; OtherLength, which is one, for a length other than `expected_size`. MirrorFailed when the
    range was ignored and too much would have to be thrown away.
    """
    if bare(headers.get("Content-Type")) == "text/html":
        raise BlockPage(
            f"answered {status} text/html where a blob was expected: a block page?", status=status
        )
    coding = headers.get("Content-Encoding", "identity").strip().lower()
    if coding not in {"", "identity"}:
        raise MirrorLied(f"sent a blob in a coding nobody asked for ({coding[:40]!r})")
    length = parse_length(headers.get("Content-Length"))
    if status == 416:
        raise OtherLength(f"says that the blob ends before byte {start}", status=status)
    if status == 206:
        return _judge_part(headers, start, expected_size, length)
    _compare(length, expected_size)
    if start > MOST_DISCARDED_BYTES:
        raise MirrorFailed(f"ignores ranges, and {start} bytes are here already", status=status)
    if length is not None and length < start:
        raise OtherLength(f"the blob has {length} bytes there, but more than that are here already")
    size = length if length is not None else expected_size
    return BlobAnswer(size, skip=start, stop=size)


def parse_length(header: str | None) -> int | None:
    """Read a Content-Length; None when absent or no number."""
    text = (header or "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else None


def _judge_part(
    headers: Mapping[str, str], start: int, expected_size: int | None, length: int | None
) -> BlobAnswer:
    told = parse_content_range(headers.get("Content-Range"))
    if told is None:
        raise MirrorLied("answered 206 without a Content-Range that can be read", status=206)
    if told.start != start:
        raise MirrorLied(f"sends bytes from {told.start} on, asked from {start} on", status=206)
    _compare(told.size, expected_size)
    if length is not None and length != told.stop - told.start:
        raise MirrorLied("answered 206 with a length that is not that of its range", status=206)
    size = told.size if told.size is not None else expected_size
    return BlobAnswer(size, stop=told.stop)


def _compare(size: int | None, expected_size: int | None) -> None:
    if size is not None and expected_size is not None and size != expected_size:
        raise OtherLength(f"the blob has {size} bytes there instead of {expected_size}")
