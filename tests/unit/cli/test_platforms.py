"""Platforms as people write them."""

from __future__ import annotations

import click
import pytest

from entrepot.cli.platforms import matches, parse_platforms


def test_platforms_are_read() -> None:
    told = parse_platforms(
        ["linux/arm64,amd64", "linux/arm64", "x86_64", "linux/arm/v7", " aarch64,"]
    )
    assert told == ("linux/arm64", "linux/amd64", "linux/arm/v7")


@pytest.mark.parametrize("text", ["linux/", "/", "a/b/c/d", "linux/am d64", "linux//v7"])
def test_what_is_none_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter, match="no platform"):
        parse_platforms([text])


def test_a_variant_is_meant_too() -> None:
    assert matches("linux/arm64", "linux/arm64/v8")
    assert matches("linux/arm64", "linux/arm64")
    assert not matches("linux/arm", "linux/arm64")
    assert not matches("linux/arm/v7", "linux/arm/v6")
