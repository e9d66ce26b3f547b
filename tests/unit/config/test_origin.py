"""Where a server has its settings from."""

from __future__ import annotations

from pathlib import Path

import pytest

from entrepot.config.origin import Origin


@pytest.mark.parametrize(
    ("origin", "options"),
    [
        (Origin(None, None, Path("/c")), "--cache /c"),
        (
            Origin(Path("/e.yaml"), "china", Path("/c")),
            "--config /e.yaml --preset china --cache /c",
        ),
    ],
)
def test_what_is_told_is_read(origin: Origin, options: str) -> None:
    assert Origin.read(origin.document()) == origin
    assert origin.options() == options


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"cache": 1},
        {"cache": "relative"},
        {"cache": "/c", "config": "relative"},
        {"cache": "/c", "config": 1},
        {"cache": "/c", "preset": []},
    ],
    ids=str,
)
def test_anything_else_is_not(document: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"origin|relative"):
        _ = Origin.read(document)
