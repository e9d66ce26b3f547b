"""Numbers and times as people read them."""

from __future__ import annotations

from datetime import UTC, datetime

_UNITS = ("KiB", "MiB", "GiB", "TiB")
_AGES = ((86400.0, "d"), (3600.0, "h"), (60.0, "min"))


def size_text(count: object) -> str:
    """Write a number of bytes."""
    size = float(str(count))
    if size < 1024:
        return f"{size:.0f} B"
    for unit in _UNITS:
        size /= 1024
        if size < 1000 or unit == _UNITS[-1]:
            break
    return f"{size:.1f} {unit}"


def ago_text(told: object, now: datetime | None = None) -> str:
    """Write how long ago a time in ISO 8601 was; "never" for None."""
    if told is None:
        return "never"
    seconds = ((now or datetime.now(UTC)) - datetime.fromisoformat(str(told))).total_seconds()
    for length, unit in _AGES:
        if seconds >= length:
            return f"{seconds // length:.0f} {unit} ago"
    return "just now"


def count_text(count: object, noun: str) -> str:
    """Write "1 blob", "2 blobs"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def span_text(seconds: float) -> str:
    """Write a time that is yet to pass, or has passed."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 100:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    for length, unit in _AGES:
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"
