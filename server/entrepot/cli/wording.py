"""Numbers, times and tables as people read them on a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from entrepot.wording import ago_text, count_text, size_text

__all__ = ["about", "ago_text", "columns", "count_text", "size_text", "trouble"]


def about(name: str, reason: str) -> str:
    """Put a name before a reason, unless the reason says it already."""
    return reason if reason.startswith((f"{name}: ", f"{name} ")) else f"{name}: {reason}"


def trouble(error: Exception) -> str:
    """Say what is wrong with a file, without the number of the error and the name once more."""
    if isinstance(error, UnicodeDecodeError):
        return "is not UTF-8 text"
    reason = error.strerror if isinstance(error, OSError) else None
    return f"{reason[:1].lower()}{reason[1:]}" if reason else str(error)


def columns(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Write rows one below the other, each column as wide as it has to be."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        padded = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        yield "  ".join(padded).rstrip()
