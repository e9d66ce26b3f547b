"""When a tag may be answered from memory."""

from __future__ import annotations

import pytest

from entrepot.mirror.freshness import Freshness, tag_freshness


@pytest.mark.parametrize(
    ("ttl_s", "age_s", "expected"),
    [
        (300.0, 0.0, Freshness.FRESH),
        (300.0, 299.9, Freshness.FRESH),
        (300.0, 300.0, Freshness.STALE),
        (0.0, 0.0, Freshness.STALE),
        (300.0, -1.0, Freshness.STALE),
    ],
    ids=["now", "just", "over", "never", "clock set back"],
)
def test_freshness(ttl_s: float, age_s: float, expected: Freshness) -> None:
    assert tag_freshness(ttl_s, 1000.0, 1000.0 + age_s) is expected
