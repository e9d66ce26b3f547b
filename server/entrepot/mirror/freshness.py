"""When a tag's last check is too old to be answered from; pure."""

from __future__ import annotations

from enum import Enum


class Freshness(Enum):
    """What may be done with a tag record."""

    FRESH = "fresh"
    """Answer from it without asking anybody."""
    STALE = "stale"
    """Ask first; answer from it when nobody can be asked (U-12)."""


def tag_freshness(ttl_s: float, checked_at: float, now: float) -> Freshness:
    """Whether a record checked at `checked_at` is fresh at `now`; wall clock seconds.

    A check in the future means that the clock was set back: such a record is asked about again
    rather than believed for as long as the clock needs to catch up.
    """
    age = now - checked_at
    return Freshness.FRESH if 0 <= age < ttl_s else Freshness.STALE
