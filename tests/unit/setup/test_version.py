"""What clients print when they are asked for their version."""

from __future__ import annotations

import pytest

from entrepot.setup.version import Version


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("1.6.20~ds1", (1, 6, 20)),
        ("v1.28.6+k3s1", (1, 28, 6)),
        ("2.4.0-beta.1", (2, 4, 0)),
        ("29", (29, 0, 0)),
        ("20.10.24+dfsg1,", (20, 10, 24)),
    ],
)
def test_what_is_read(text: str, numbers: tuple[int, int, int]) -> None:
    assert Version.parse(text) == Version(*numbers)


@pytest.mark.parametrize("text", ["", "latest", "$(id)", "-1"])
def test_what_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a version"):
        Version.parse(text)


def test_the_order_is_that_of_numbers() -> None:
    assert Version.parse("1.6.9") < Version.parse("1.6.17") < Version.parse("1.10")
    assert str(Version(1, 7)) == "1.7.0"
