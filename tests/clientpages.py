"""The pages of docs/clients: what the generator says stands in them word for word: `make pages`.

A comment of the form `<!-- entrepot setup … -->` stands before a block of code, which is what that
command prints. The rest of a page is written by hand.
"""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

from click.testing import CliRunner

from entrepot.cli import main

PAGES = Path(__file__).parents[1] / "docs" / "clients"

_BLOCK = re.compile(
    r"(?P<mark><!-- entrepot (?P<words>[^\n]+) -->\n)```\n(?:.*?\n)??```\n", re.DOTALL
)


def commands(text: str) -> list[str]:
    """The commands that a page shows the words of."""
    return [match["words"] for match in _BLOCK.finditer(text)]


def filled(text: str) -> str:
    """Put into every block what its command prints; ValueError when one fails."""
    return _BLOCK.sub(lambda match: f"{match['mark']}```\n{_printed(match['words'])}```\n", text)


def _printed(words: str) -> str:
    result = CliRunner().invoke(main, shlex.split(words))
    if result.exit_code != 0:
        raise ValueError(f"entrepot {words}: {result.output}")
    return result.output


if __name__ == "__main__":
    for page in sorted(PAGES.glob("*.md")):
        page.write_text(filled(page.read_text()))
        sys.stdout.write(f"{page.name}\n")
