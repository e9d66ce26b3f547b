"""Which test covers which rule of the contract, as Markdown: `make rules`.

The rules are in data/contract-rules.yaml, the tests tell theirs by `@pytest.mark.rule("S-1")`,
on a function, a class, or as `pytestmark`; this reads the marks without importing the tests.
"""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

TESTS = Path(__file__).parent
CONTRACT = TESTS / "data" / "contract-rules.yaml"

Coverage = Mapping[str, list[str]]


@dataclass(frozen=True, slots=True)
class Contract:
    """The rules by section, why some need no test here, and the pitfalls to avoid."""

    sections: Mapping[str, Mapping[str, str]]
    elsewhere: Mapping[str, str]
    pitfalls: Mapping[str, str]

    @property
    def rules(self) -> dict[str, str]:
        return {rule: text for section in self.sections.values() for rule, text in section.items()}


def load_contract(path: Path = CONTRACT) -> Contract:
    document = yaml.safe_load(path.read_text())
    return Contract(document["rules"], document["elsewhere"], document["pitfalls"])


def collect(root: Path = TESTS) -> Coverage:
    """Map each marked id to its tests, as pytest names them from `root`, sorted."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in sorted(root.rglob("test_*.py")):
        for name, ids in _marked(ast.parse(path.read_text()), ()):
            for rule in ids:
                found[rule].add("::".join((path.relative_to(root).as_posix(), *name)))
    return {rule: sorted(tests) for rule, tests in found.items()}


def unknown(contract: Contract, coverage: Coverage) -> list[str]:
    """List the marked ids that are neither rules nor pitfalls."""
    return sorted(set(coverage) - set(contract.rules) - set(contract.pitfalls))


def uncovered(contract: Contract, coverage: Coverage) -> list[str]:
    """List the rules that no test covers and that concern us."""
    return [rule for rule in contract.rules if rule not in {*coverage, *contract.elsewhere}]


def table(contract: Contract, coverage: Coverage) -> str:
    lines = [
        "# The contract's rules and the tests that cover them",
        "",
        "Made by `make rules` from the tests' own marks; do not edit. Paths are below `tests/`.",
    ]
    sections = {**contract.sections, "Pitfalls that others fell into": contract.pitfalls}
    for title, rules in sections.items():
        lines += ["", f"## {title}", "", "| rule | what it asks | tests |", "|---|---|---|"]
        lines += [
            f"| {rule} | {text} | {_cell(rule, contract, coverage)} |"
            for rule, text in rules.items()
        ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write the table to stdout and what is missing to stderr."""
    contract, coverage = load_contract(), collect()
    sys.stdout.write(table(contract, coverage))
    for what, ids in (
        ("unknown ids in marks", unknown(contract, coverage)),
        ("rules without a test", uncovered(contract, coverage)),
    ):
        if ids:
            sys.stderr.write(f"{len(ids)} {what}: {' '.join(ids)}\n")


def _cell(rule: str, contract: Contract, coverage: Coverage) -> str:
    tests = "<br>".join(f"`{test}`" for test in coverage.get(rule, ()))
    reason = contract.elsewhere.get(rule)
    return tests or (f"not here: {reason}" if reason else "none")


def _marked(
    scope: ast.Module | ast.ClassDef, outer: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Yield each test's name, in parts, with the ids on it and around it."""
    around = outer + tuple(rule for node in scope.body for rule in _own(node))
    for node in scope.body:
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        ids = around + tuple(rule for mark in node.decorator_list for rule in _ids(mark))
        if isinstance(node, ast.ClassDef):
            yield from (((node.name, *name), inner) for name, inner in _marked(node, ids))
        elif node.name.startswith("test"):
            yield (node.name,), ids


def _own(node: ast.stmt) -> Iterator[str]:
    """Yield the ids of `pytestmark = …`."""
    targets = node.targets if isinstance(node, ast.Assign) else []
    if isinstance(node, ast.Assign) and any(
        isinstance(target, ast.Name) and target.id == "pytestmark" for target in targets
    ):
        yield from _ids(node.value)


def _ids(expression: ast.expr) -> Iterator[str]:
    """Yield the ids of every `pytest.mark.rule(…)` in it, those on single parameters too."""
    for node in ast.walk(expression):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.rule":
            for argument in node.args:
                if not isinstance(argument, ast.Constant) or not isinstance(argument.value, str):
                    raise TypeError(f"line {argument.lineno}: a rule's id is written out")
                yield argument.value


if __name__ == "__main__":
    main()
