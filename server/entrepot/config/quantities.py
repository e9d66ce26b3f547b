"""Sizes and durations as people write them."""

from __future__ import annotations

import math
import re
from typing import Annotated

from pydantic import BeforeValidator

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([a-zA-Z]*)")
_UNITS_BYTES: dict[str, int] = {
    "": 1,
    "b": 1,
    **{f"{letter}b": int(1000**power) for power, letter in enumerate("kmgtp", start=1)},
    **{f"{letter}ib": int(1024**power) for power, letter in enumerate("kmgtp", start=1)},
    # A bare letter means what `du -h`, Kubernetes' neighbours and most people mean by it.
    **{letter: int(1024**power) for power, letter in enumerate("kmgtp", start=1)},
}

_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|w)\s*")
_PLAIN_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}


def parse_size(value: object) -> int:
    """Read bytes from 4096, "100GiB", "1.5 MB"; ValueError for anything else."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if isinstance(value, str) and (found := _SIZE.fullmatch(value.strip())):
        unit = _UNITS_BYTES.get(found[2].lower())
        if unit is not None:
            return round(float(found[1]) * unit) if "." in found[1] else int(found[1]) * unit
    raise ValueError("not a size: write it as 512MiB, 100GiB or a number of bytes")


def _positive_size(value: object) -> int:
    size = parse_size(value)
    if size == 0:
        raise ValueError("must be more than nothing; `none` means without a limit")
    return size


def parse_duration(value: object) -> float:
    """Read seconds from 90, 0.5, "250ms", "10m", "1h30m"; ValueError for anything else."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        if math.isfinite(value) and value >= 0:
            return float(value)
    elif isinstance(value, str):
        text = value.strip()
        if _PLAIN_NUMBER.fullmatch(text):
            return float(text)
        parts = list(_DURATION_PART.finditer(text))
        if parts and "".join(part[0] for part in parts) == text:
            return sum(float(part[1]) * _UNITS_S[part[2]] for part in parts)
    raise ValueError("not a duration: write it as 250ms, 30s, 10m, 1h30m or a number of seconds")


def _positive(value: object) -> float:
    seconds = parse_duration(value)
    if seconds == 0:
        raise ValueError("must be longer than nothing")
    return seconds


Bytes = Annotated[int, BeforeValidator(parse_size)]
PositiveBytes = Annotated[int, BeforeValidator(_positive_size)]
Seconds = Annotated[float, BeforeValidator(parse_duration)]
PositiveSeconds = Annotated[float, BeforeValidator(_positive)]
