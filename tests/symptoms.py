"""The texts of docs/troubleshooting.md, held against what programs really say.

A comment `<!-- said in e2e/test_symptoms.py::NAME -->` stands before a block of code: what was
said in that test has each of its lines in it, where … is anything.
"""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "troubleshooting.md"

_BLOCK = re.compile(
    r"<!-- said in (?P<file>[\w/]+\.py)::(?P<test>\w+) -->\n```\n(?P<lines>.*?)```\n", re.DOTALL
)


def sources(page: str) -> set[tuple[str, str]]:
    """The tests that the page's texts come from, as file and name."""
    return {(match["file"], match["test"]) for match in _BLOCK.finditer(page)}


def missing(page: str, test: str, said: str) -> list[str]:
    """List the lines of the page's blocks for `test` that are not in what was said."""
    lines = [
        line
        for match in _BLOCK.finditer(page)
        if match["test"] == test
        for line in match["lines"].splitlines()
    ]
    if not lines:
        raise ValueError(f"no text on the page comes from {test}")
    return [line for line in lines if not _pattern(line).search(said)]


def _pattern(line: str) -> re.Pattern[str]:
    """The line with its addresses open: tests have others than the page's 10.0.0.5:5000."""
    parts = (re.escape(part) for part in line.strip().split("…"))
    joined = ".*".join(parts).replace(re.escape("10.0.0.5:5000"), r"127\.0\.0\.1:\d+")
    return re.compile(joined)
