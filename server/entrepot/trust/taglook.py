"""Whether a tag looks as if what it means never changes; only its text is looked at."""

from __future__ import annotations

import re
from enum import Enum


class Look(Enum):
    """What a tag looks like. It is a guess: nothing in the specifications forbids moving a tag."""

    FIXED = "fixed"
    """A whole version, a date or a hash: `v1.30.2`, `3.5.15-0`, `20240110`, `main-1a2b3c4`."""
    VERSION = "version"
    """Two numbers: `3.1` of pause never moved, `1.25` of nginx does with every patch."""
    MOVING = "moving"
    """`latest`, `stable`, `v1`, `bookworm`, and whatever else is like nothing above."""


# cosign's tags: they name a digest, but what they point at grows with each signature.
_ATTACHED = re.compile(r"sha256-[0-9a-f]{64}(?:\.[a-z]+)?")
_ALWAYS_MOVING = re.compile(
    r"(?:^|[._-])(?:latest|stable|edge|nightly|current|x)(?:[._-]|$)", re.IGNORECASE
)
_DATE = re.compile(
    r"(?<![0-9])(?:20[0-9]{2}([-._]?)(?:0[1-9]|1[0-2])\1(?:0[1-9]|[12][0-9]|3[01]))(?![0-9])"
)
_WHOLE_VERSION = re.compile(r"(?:^|[a-zA-Z_-])[0-9]+\.[0-9]+\.[0-9]+(?![0-9])")
_TWO_NUMBERS = re.compile(r"(?:^|[a-zA-Z_-])[0-9]+\.[0-9]+(?![0-9])")
_HASH = re.compile(r"(?:^|[._-])g?([0-9a-f]{7,64})(?=[._-]|$)")


def look_of(tag: str) -> Look:
    """Judge a tag by its text alone; linear in its 128 characters at most."""
    if _ATTACHED.fullmatch(tag):
        return Look.MOVING
    if _DATE.search(tag):
        return Look.FIXED
    if _ALWAYS_MOVING.search(tag):
        return Look.MOVING
    if _WHOLE_VERSION.search(tag) or any(map(_is_hash, _HASH.findall(tag))):
        return Look.FIXED
    return Look.VERSION if _TWO_NUMBERS.search(tag) else Look.MOVING


def _is_hash(text: str) -> bool:
    """Tell a hash from a word of the letters a to f, and from a number that merely counts."""
    return any(map(str.isdecimal, text)) and any(map(str.isalpha, text))
