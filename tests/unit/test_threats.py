"""THREATS.md names tests that exist, and none that was renamed."""

from __future__ import annotations

import ast
import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
THREATS = TESTS.parent / "THREATS.md"


def named(text: str) -> set[tuple[str, str]]:
    return set(re.findall(r"`((?:\w+/)+\w+\.py)::(\w+)`", text))


def functions_of(path: Path) -> set[str]:
    tree = ast.parse(path.read_text())
    return {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def test_every_test_named_exists() -> None:
    found = named(THREATS.read_text())
    assert len(found) > 40
    missing = {
        f"{file}::{test}"
        for file, test in found
        if not (TESTS / file).is_file() or test not in functions_of(TESTS / file)
    }
    assert missing == set()


def test_every_row_of_a_table_tells_its_test_or_that_it_is_possible() -> None:
    rows = [line for line in THREATS.read_text().splitlines() if line.startswith("| ")]
    told = [row for row in rows if named(row) or "**can**" in row or row.startswith("| tries to")]
    assert told == rows


def test_a_wrong_name_would_be_found() -> None:
    assert named("`unit/x/test_y.py::test_z`, `not/a.test`") == {("unit/x/test_y.py", "test_z")}
