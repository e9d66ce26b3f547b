"""Which bytes of a blob a Range header asks for (RFC 9110 section 14)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from entrepot.errors import RangeNotSatisfiable, RangeUnsupported

_HEADER = re.compile(r"\s*bytes\s*=(.*)", re.IGNORECASE | re.DOTALL)
_SPEC = re.compile(r"([0-9]*)-([0-9]*)")
_MAX_DIGITS = 19
_PAST_ANY_BLOB = 10**_MAX_DIGITS


@dataclass(frozen=True, slots=True)
class ByteRange:
    """Bytes from `start` up to, not including, `stop`; never empty.

    `open_ended` tells `bytes=a-` from the same bytes asked for by their end: the first is how a
    broken download is completed (T-4), the others how a part is looked at (L-1 to L-6).
    """

    start: int
    stop: int
    open_ended: bool = field(default=False, compare=False)

    @property
    def length(self) -> int:
        """Bytes in the range."""
        return self.stop - self.start

    def content_range(self, size: int) -> str:
        """Write the Content-Range of a 206 out of a blob of `size` bytes."""
        return f"bytes {self.start}-{self.stop - 1}/{size}"


def parse_range(header: str | None, size: int) -> ByteRange | None:
    """Decide what to answer to a Range header for a blob of `size` bytes.

    None means the whole blob with a 200: no header, another unit, nonsense, or `bytes=0-` of
    an empty blob (T-8, L-7). RangeNotSatisfiable: it starts past the end. RangeUnsupported:
    several ranges, which clients take as the request to ask for one at a time (P-4, L-2).
    """
    match = _HEADER.fullmatch(header) if header else None
    if match is None:
        return None
    specs = [text for part in match[1].split(",") if (text := part.strip(" \t"))]
    bounds = [_SPEC.fullmatch(spec) for spec in specs]
    ranges = [_number_pair(bound[1], bound[2]) for bound in bounds if bound]
    if not ranges or len(ranges) < len(bounds) or not all(map(_valid, ranges)):
        return None
    if len(ranges) > 1:
        raise RangeUnsupported("one range at a time, please")
    return _within(*ranges[0], size)


def _number_pair(first: str, last: str) -> tuple[int | None, int | None]:
    return _number(first), _number(last)


def _number(digits: str) -> int | None:
    if not digits:
        return None
    significant = digits.lstrip("0") or "0"
    # int() refuses thousands of digits; no blob is that long, so any larger number will do.
    return int(significant) if len(significant) <= _MAX_DIGITS else _PAST_ANY_BLOB


def _valid(bounds: tuple[int | None, int | None]) -> bool:
    first, last = bounds
    if first is None:
        return last is not None
    return last is None or first <= last


def _within(first: int | None, last: int | None, size: int) -> ByteRange | None:
    if first is None:
        start, stop = max(size - (last or 0), 0), size
    elif first == 0 and last is None and size == 0:
        return None
    else:
        start, stop = first, size if last is None else min(last + 1, size)
    if start >= size:
        raise RangeNotSatisfiable(size)
    return ByteRange(start, stop, open_ended=first is not None and last is None)
