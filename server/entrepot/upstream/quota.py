"""How many pulls a registry still grants: Docker Hub's `ratelimit-*` headers (U-9)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_FIELD = re.compile(r"\s*(\d{1,12})\s*(?:;\s*w\s*=\s*(\d{1,12}))?", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True, slots=True)
class Quota:
    """`remaining` of `limit` manifest GETs are left; `window_s` is in seconds, 0 when untold."""

    limit: int
    remaining: int
    window_s: int


def parse_quota(headers: Mapping[str, str]) -> Quota | None:
    """Read the headers of any answer, HEAD included; None unless both are there and readable."""
    limit = _FIELD.match(headers.get("ratelimit-limit", ""))
    remaining = _FIELD.match(headers.get("ratelimit-remaining", ""))
    if limit is None or remaining is None:
        return None
    return Quota(int(limit[1]), int(remaining[1]), int(limit[2] or remaining[2] or 0))
