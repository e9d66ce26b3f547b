"""An answer that is none, in our words."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Collection, Mapping

from entrepot.errors import (
    AttemptError,
    MirrorDenied,
    MirrorFailed,
    MirrorNotFound,
    MirrorThrottled,
)
from entrepot.upstream.retryafter import parse_retry_after

EXCERPT_BYTES = 16 << 10
_LONGEST_REASON = 200


def refusal(
    status: int,
    headers: Mapping[str, str],
    reason: str,
    now: dt.datetime,
    *,
    who: str = "",
) -> AttemptError:
    """Tell which AttemptError a status other than success is; `now` is aware.

    `who` names the host when it is not the mirror itself, `reason` is what `read_reason` found.
    """
    message = f"{who} answered {status}".lstrip() + (f" ({reason})" if reason else "")
    match status:
        case 404 | 410:
            return MirrorNotFound(message, status=status)
        case 401 | 403:
            return MirrorDenied(message, status=status)
        case 429:
            wait_s = parse_retry_after(headers.get("Retry-After"), now)
            return MirrorThrottled(message, status=status, retry_after_s=wait_s)
        case _:
            return MirrorFailed(message, status=status)


def read_reason(body: bytes, secrets: Collection[str]) -> str:
    """Find the first error of an OCI error body (N-4) as "CODE: message"; "" when there is none.

    An answer that repeats one of `secrets` gives no reason at all.
    """
    try:
        document: object = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    errors = document.get("errors") if isinstance(document, dict) else None
    first = errors[0] if isinstance(errors, list) and errors else None
    if not isinstance(first, dict):
        return ""
    told = [first.get("code"), first.get("message")]
    text = ": ".join(part for part in told if isinstance(part, str) and part)
    if any(secret and secret in text for secret in secrets):
        return ""
    printable = "".join(c if c.isprintable() else " " for c in text)
    return printable[:_LONGEST_REASON]
