"""Numbers and times as people read them; `cli.test_wording` has the rest."""

from __future__ import annotations

import pytest

from entrepot.wording import span_text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0004, "0 ms"),
        (0.25, "250 ms"),
        (3.14, "3.1 s"),
        (42, "42 s"),
        (99.4, "99 s"),
        (120, "2 min"),
        (7200, "2 h"),
        (3 * 86400, "3 d"),
    ],
)
def test_spans(seconds: float, text: str) -> None:
    assert span_text(seconds) == text
