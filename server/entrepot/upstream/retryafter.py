"""The `Retry-After` header: seconds, or a date."""

from __future__ import annotations

import datetime as dt
import email.utils

_LONGEST_S = 24 * 3600.0


def parse_retry_after(header: str | None, now: dt.datetime) -> float | None:
    """Tell how many seconds from `now` (aware) to wait; None when absent or unreadable.

    Never negative, and never more than a day: no mirror is put aside for longer by its own word.
    """
    text = (header or "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:12]), _LONGEST_S)
    try:
        when = email.utils.parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError):
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=dt.UTC)
    return min(max((when - now).total_seconds(), 0.0), _LONGEST_S)
