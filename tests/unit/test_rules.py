"""The marks on the tests and the list of rules agree."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from rules import Contract, collect, load_contract, table, uncovered, unknown

ROOT = Path(__file__).parents[2]
CONTRACT = load_contract()
SMALL = Contract({"One": {"S-1": "a", "S-2": "b", "S-3": "c"}}, {"S-3": "not ours"}, {"P1": "d"})
SOURCE = """
import pytest
pytestmark = [pytest.mark.slow, pytest.mark.rule("M")]
@pytest.mark.rule("F", "G")
@pytest.mark.parametrize("x", [pytest.param(1, marks=pytest.mark.rule("Q"))])
async def test_one(x): ...
def not_a_test(): ...
@pytest.mark.rule("C")
class TestMany:
    pytestmark = pytest.mark.rule("D")
    @pytest.mark.rule("F")
    def test_two(self): ...
"""


def test_no_test_is_marked_with_an_unknown_rule() -> None:
    assert unknown(CONTRACT, collect()) == []


def test_every_rule_that_concerns_us_has_a_test() -> None:
    assert uncovered(CONTRACT, collect()) == []


def test_the_committed_table_is_the_one_that_the_tests_make() -> None:
    committed = (ROOT / "docs" / "contract-coverage.md").read_text()
    assert committed == table(CONTRACT, collect()), "run `make rules`"


def test_the_marks_of_this_tree_are_found() -> None:
    assert "unit/oci/test_digest.py::test_anything_else_is_refused" in collect()["S-9"]


def test_reasons_are_given_for_rules_that_exist() -> None:
    assert set(CONTRACT.elsewhere) <= set(CONTRACT.rules)


def test_no_rule_is_listed_twice() -> None:
    listed = [rule for section in CONTRACT.sections.values() for rule in section]
    assert len(listed) == len(set(listed))
    assert not set(listed) & set(CONTRACT.pitfalls)


@pytest.mark.parametrize(("rule", "text"), (CONTRACT.rules | dict(CONTRACT.pitfalls)).items())
def test_rules_are_numbered_and_put_in_few_words(rule: str, text: str) -> None:
    assert re.fullmatch(r"[A-Z]-\d+|P\d+|§\d+", rule)
    assert 1 < len(text.split()) <= 12


@pytest.mark.parametrize(
    ("letter", "last"),
    [
        *(("S", 9), ("C", 20), ("E", 4), ("A", 4), ("T", 9), ("D", 6), ("B", 1), ("P", 5)),
        *(("K", 2), ("G", 6), ("O", 4), ("M", 5), ("L", 8), ("N", 9), ("U", 13), ("F", 9)),
        *(("X", 8), ("Q", 2)),
    ],
)
def test_no_number_is_missing(letter: str, last: int) -> None:
    wanted = {f"{letter}-{number}" for number in range(1, last + 1)}
    assert {rule for rule in CONTRACT.rules if rule.startswith(f"{letter}-")} == wanted


def test_marks_are_read_from_functions_classes_modules_and_parameters(tmp_path: Path) -> None:
    (tmp_path / "unit").mkdir()
    (tmp_path / "unit" / "test_a.py").write_text(SOURCE)
    (tmp_path / "unit" / "other.py").write_text(SOURCE)
    one, two = "unit/test_a.py::test_one", "unit/test_a.py::TestMany::test_two"
    assert collect(tmp_path) == {
        "M": [two, one],
        "F": [two, one],
        "G": [one],
        "Q": [one],
        "C": [two],
        "D": [two],
    }


def test_an_id_that_is_computed_is_refused(tmp_path: Path) -> None:
    (tmp_path / "test_a.py").write_text("@pytest.mark.rule(S)\ndef test_x(): ...")
    with pytest.raises(TypeError, match="line 1"):
        collect(tmp_path)


def test_what_is_missing_and_what_is_strange_is_told() -> None:
    coverage = {"S-1": ["t"], "S-9": ["t"], "P1": ["t"]}
    assert unknown(SMALL, coverage) == ["S-9"]
    assert uncovered(SMALL, coverage) == ["S-2"]


def test_the_table_has_a_line_for_each_rule() -> None:
    lines = table(SMALL, {"S-1": ["a::b", "c::d"]}).splitlines()
    assert "| S-1 | a | `a::b`<br>`c::d` |" in lines
    assert "| S-2 | b | none |" in lines
    assert "| S-3 | c | not here: not ours |" in lines
    assert "| P1 | d | none |" in lines


def test_the_program_writes_the_table() -> None:
    program = Path(__file__).parents[1] / "rules.py"
    ran = subprocess.run([sys.executable, str(program)], check=True, capture_output=True, text=True)
    assert ran.stdout == table(CONTRACT, collect())
