"""The `Content-Range` header of a 206 or 416 (RFC 9110, 14.4)."""

from __future__ import annotations

import re
from dataclasses import dataclass

_SATISFIED = re.compile(
    r"\s*bytes\s+(\d{1,18})-(\d{1,18})/(\d{1,18}|\*)\s*", re.IGNORECASE | re.ASCII
)
_UNSATISFIED = re.compile(r"\s*bytes\s+\*/(\d{1,18})\s*", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True, slots=True)
class ContentRange:
    """Bytes from `start` up to, not including, `stop`; `size` of the whole, None when untold."""

    start: int
    stop: int
    size: int | None


def parse_content_range(header: str | None) -> ContentRange | None:
    """Read `bytes a-b/T`; None when absent, malformed or impossible."""
    match = _SATISFIED.fullmatch(header or "")
    if match is None:
        return None
    start, stop = int(match[1]), int(match[2]) + 1
    size = None if match[3] == "*" else int(match[3])
    if start >= stop or (size is not None and stop > size):
        return None
    return ContentRange(start, stop, size)


def parse_unsatisfied(header: str | None) -> int | None:
    """Read `bytes */T`, which a 416 carries; None when absent or malformed."""
    match = _UNSATISFIED.fullmatch(header or "")
    return None if match is None else int(match[1])
