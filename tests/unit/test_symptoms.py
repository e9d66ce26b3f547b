"""docs/troubleshooting.md quotes tests that exist, and each of these has its place there."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from symptoms import PAGE, missing, sources

TESTS = Path(__file__).parents[1]
SAMPLE = """\
<!-- said in e2e/test_x.py::test_one -->
```
dial tcp 10.0.0.5:5000: … refused
```
"""


def test_every_text_comes_from_a_test_and_every_test_has_a_text() -> None:
    named = sources(PAGE.read_text())
    assert {file for file, _ in named} == {"e2e/test_symptoms.py"}
    tree = ast.parse((TESTS / "e2e" / "test_symptoms.py").read_text())
    tests = {node.name for node in tree.body if isinstance(node, ast.AsyncFunctionDef)}
    assert {test for _, test in named} == {name for name in tests if name.startswith("test_")}


def test_every_block_of_code_with_a_text_is_marked() -> None:
    page = PAGE.read_text()
    assert page.count("```\n") == 2 * page.count("<!-- said in ")


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("Head: dial tcp 127.0.0.1:41234: connect: connection refused", True),
        ("Head: dial tcp 127.0.0.1:41234: i/o timeout", False),
        ("Head: dial tcp 192.0.2.1:41234: connect: connection refused", False),
    ],
)
def test_addresses_and_dots_are_open(said: str, *, found: bool) -> None:
    expected = [] if found else ["dial tcp 10.0.0.5:5000: … refused"]
    assert missing(SAMPLE, "test_one", said) == expected


def test_a_test_without_a_text_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="test_two"):
        missing(SAMPLE, "test_two", "")
