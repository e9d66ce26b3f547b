"""What the pages of documentation hold, for tests: links, code, commands."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]

_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ +(.+?) *$", re.MULTILINE)
_FENCED = re.compile(r"^```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"(?:^\n)((?:^ {4,}\S.*\n|^\n(?= {4}))+)", re.MULTILINE)
_SPAN = re.compile(r"`([^`\n]+)`")
_COMMENT = re.compile(r"(?:^| +)#.*$", re.MULTILINE)


def pages() -> list[Path]:
    """Every page that people read."""
    found = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("server/*.md")]
    return sorted(found)


def links(text: str) -> list[str]:
    """Where a page leads to, code left out."""
    return _LINK.findall(_without_code(text))


def anchors(text: str) -> set[str]:
    """The names of a page's headings, as links have them."""
    return {_anchor(heading) for heading in _HEADING.findall(_FENCED.sub("", text))}


def blocks(text: str) -> list[str]:
    """Code that stands on lines of its own."""
    found = [(match.start(), match[1]) for match in _FENCED.finditer(text)]
    rest = _FENCED.sub(lambda match: "\n" * match[0].count("\n"), text)
    found += [(match.start(), match[1]) for match in _INDENTED.finditer(rest)]
    return [code for _, code in sorted(found)]


def spans(text: str) -> list[str]:
    """Code inside of sentences."""
    rest = _FENCED.sub("", text)
    for block in _INDENTED.findall(rest):
        rest = rest.replace(block, "")
    return _SPAN.findall(rest)


def uncommented(code: str) -> str:
    """Code without its comments, which are in the page's own language."""
    return re.sub(r"\n+", "\n", _COMMENT.sub("", code)).strip("\n")


def commands(text: str) -> Iterator[list[str]]:
    """The words behind `entrepot` of every command that a page shows."""
    lines = [line for block in blocks(text) for line in block.splitlines()]
    for line in (*lines, *spans(text)):
        for part in re.split(r"\||&&|;", _COMMENT.sub("", line)):
            found = re.match(
                r"\s*(?:\$ |docker compose exec entrepot |\.venv/bin/)?entrepot (.+)", part
            )
            if found is not None and "…" not in part:
                yield shlex.split(found[1].replace("[", " ").replace("]", " "))


def _without_code(text: str) -> str:
    text = _FENCED.sub("", text)
    return _SPAN.sub("``", text.replace("[`", "[").replace("`]", "]"))


def _anchor(heading: str) -> str:
    plain = re.sub(r"[^\w\- ]", "", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading))
    return plain.strip().lower().replace(" ", "-")
