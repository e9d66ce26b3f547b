"""What is written about these commands names all that they take."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from entrepot.cli import main

TEXT = (Path(__file__).parents[3] / "docs" / "trust-commands.md").read_text()
COMMANDS = ("doctor", "why", "ledger", "pins import", "pins lock", "pins check")


def command(words: str) -> click.Command:
    found: click.Command | None = main
    for word in words.split():
        assert isinstance(found, click.Group)
        found = found.get_command(click.Context(found), word)
    assert found is not None
    return found


@pytest.mark.parametrize("words", COMMANDS)
def test_every_command_and_option_is_told_of(words: str) -> None:
    assert f"## `entrepot {words}" in TEXT
    for parameter in command(words).params:
        for option in parameter.opts if isinstance(parameter, click.Option) else ():
            known = option in TEXT or option in {"--file", "--output"}
            assert known, f"{words} {option}"
