"""Undoing a `Content-Encoding` that was not asked for (U-2)."""

from __future__ import annotations

import zlib

# 15 bits of window; +32 accepts both zlib and gzip headers.
_ANY_HEADER = zlib.MAX_WBITS | 32


def decode(body: bytes, coding: str | None, limit: int) -> bytes:
    """Undo `coding`; ValueError when it is none of ours, is broken, or exceeds `limit` bytes."""
    name = (coding or "identity").strip().lower()
    if name in {"", "identity"}:
        return body
    if name not in {"gzip", "x-gzip", "deflate"}:
        raise ValueError(f"sent in a coding nobody asked for ({name[:40]!r})")
    try:
        return _inflate(body, _ANY_HEADER, limit)
    except zlib.error:
        pass
    try:  # some servers send "deflate" without the zlib header
        return _inflate(body, -zlib.MAX_WBITS, limit)
    except zlib.error:
        raise ValueError(f"broken {name} data") from None


def _inflate(body: bytes, window_bits: int, limit: int) -> bytes:
    inflater = zlib.decompressobj(window_bits)
    plain = inflater.decompress(body, limit + 1)
    if len(plain) > limit:
        raise ValueError(f"more than {limit} bytes after decoding")
    if not inflater.eof:
        raise zlib.error("incomplete")
    return plain
