"""What can go wrong with one answer, as values; `fakes.wire` makes it happen."""

from __future__ import annotations

import gzip
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from typing import Literal

from fakes.answer import Answer

FaultKind = Literal[
    "refuse",
    "silent",
    "slow_headers",
    "status",
    "reset",
    "truncate",
    "stall",
    "drip",
    "flip",
    "html",
    "wrong_length",
    "ignore_range",
    "wrong_content_range",
    "gzip",
    "redirect_loop",
    "expired_url",
    "expire_tokens",
]

_HTML = b"<!DOCTYPE html><html><body><h1>Please sign in to this network</h1></body></html>\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Options:
    """Which requests a fault meets, and how it goes; see `Fault`."""

    method: str | None = None
    path: str = ""
    times: int | None = 1
    after_bytes: int = 0
    status: int = 500
    delay: float = 0.0
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    bytes_per_second: float = 1000.0
    by: int = 1


@dataclass(frozen=True, slots=True)
class Fault(_Options):
    """One kind of trouble for the next `times` requests that match (None: for all of them).

    `path` is a substring of, or a regular expression found in, path and query as sent. `delay`
    seconds pass before anything else happens, whatever the kind. The kinds:

    refuse        the connection is reset without an answer
    silent        the request is taken and never answered
    slow_headers  nothing but the `delay`
    status        `status`, `headers`, `body`
    reset         RST once `after_bytes` of the body have left this machine's send queue
    truncate      a clean end of connection after `after_bytes` under the full Content-Length
    stall         nothing more after `after_bytes`; the connection stays open, and an answer that
                  is no longer than that is whole
    drip          `bytes_per_second` from `after_bytes` on
    flip          one bit of the byte at offset `after_bytes` of the *blob* (negative: from its
                  end) is wrong in every answer that covers it
    html          200 with a text/html page
    wrong_length  Content-Length is too large by `by` (negative: too small); connection closed after
    ignore_range  200 and everything, whatever range was asked for
    wrong_content_range  206 that starts `by` bytes later than was asked for, and says so
    gzip          the body compressed, with Content-Encoding
    redirect_loop 307 to the same URL
    expired_url   the CDN URL in this redirect has expired already
    expire_tokens every token issued so far is refused, this request's too
    """

    kind: FaultKind = field(kw_only=False)

    def meets(self, method: str, target: str) -> bool:
        """Whether a request for `target` (path and query as sent) gets this fault."""
        if self.method is not None and self.method != method:
            return False
        return self.path in target or re.search(self.path, target) is not None


class Ending(Enum):
    """What happens to the connection after the last byte that is sent."""

    KEEP = auto()
    CLOSE = auto()
    RESET = auto()
    STALL = auto()


@dataclass(frozen=True, slots=True)
class Delivery:
    """An answer with its fate: `stop_at` bytes of the body are sent, then comes the ending."""

    answer: Answer
    content_length: int
    stop_at: int
    ending: Ending = Ending.KEEP
    slow_from: int | None = None
    slow_bytes_per_second: float = 0.0


def deliver(answer: Answer, fault: Fault | None) -> Delivery:
    """Decide how `answer` goes out under `fault`."""
    answer = _altered(answer, fault)
    size = len(answer.body)
    plain = Delivery(answer, size, size)
    if fault is None:
        return plain
    cut = min(size, fault.after_bytes)
    match fault.kind:
        case "reset":
            return replace(plain, stop_at=cut, ending=Ending.RESET)
        case "truncate":
            return replace(plain, stop_at=cut, ending=Ending.CLOSE)
        case "stall":
            whole = bool(size) and cut == size
            return plain if whole else replace(plain, stop_at=cut, ending=Ending.STALL)
        case "drip":
            return replace(plain, slow_from=cut, slow_bytes_per_second=fault.bytes_per_second)
        case "wrong_length":
            return replace(plain, content_length=max(0, size + fault.by), ending=Ending.CLOSE)
        case _:
            return plain


def _altered(answer: Answer, fault: Fault | None) -> Answer:
    match fault.kind if fault else None:
        case "flip":
            assert fault is not None
            return _flipped(answer, fault.after_bytes)
        case "html":
            return Answer(200, _HTML, {"Content-Type": "text/html; charset=utf-8"})
        case "gzip":
            packed = gzip.compress(bytes(answer.body), mtime=0)
            return replace(answer, body=packed).having(Content_Encoding="gzip")
        case "wrong_content_range":
            assert fault is not None
            return _shifted(answer, fault.by)
        case _:
            return answer


def _flipped(answer: Answer, offset: int) -> Answer:
    if offset < 0:
        total = answer.headers.get("Content-Range", "").rpartition("/")[2]
        offset += int(total) if total.isdigit() else len(answer.body)
    position = offset - answer.start
    if answer.status not in {200, 206} or not 0 <= position < len(answer.body):
        return answer
    body = bytearray(answer.body)
    body[position] ^= 1
    return replace(answer, body=bytes(body))


def _shifted(answer: Answer, by: int) -> Answer:
    found = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", answer.headers.get("Content-Range", ""))
    if found is None:
        return answer
    first, last, size = map(int, found.groups())
    start = min(first + by, last)
    moved = replace(answer, body=answer.body[start - first :], start=start)
    return moved.having(Content_Range=f"bytes {start}-{last}/{size}")
