"""Every module has its test under the same name, and stays small enough to be read."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
ROOT = TESTS.parent / "server" / "entrepot"
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60

# May only shrink. What stands here is nothing but wiring, and is driven by the named tier.
WITHOUT_TWIN = {
    "__main__.py": "one call of the command line",
}


def has_code(path: Path) -> bool:
    """Tell whether the file defines anything: an `__init__` that only re-exports does not."""
    return any(
        isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        for node in ast.parse(path.read_text()).body
    )


def modules(root: Path) -> list[str]:
    return sorted(
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        if path.name != "__init__.py" or has_code(path)
    )


def twin(module: str) -> Path:
    path = Path(module)
    name = path.parent.name if path.name == "__init__.py" else path.stem
    return Path("unit") / path.parent / f"test_{name}.py"


def too_long(path: Path) -> Iterator[str]:
    text = path.read_text()
    if (lines := text.count("\n")) > MAX_FILE_LINES:
        yield f"{path.name}: {lines} lines"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > MAX_FUNCTION_LINES:
                yield f"{path.name}: {node.name} has {length} lines"


@pytest.mark.parametrize("module", sorted(set(modules(ROOT)) - set(WITHOUT_TWIN)))
def test_every_module_has_its_test(module: str) -> None:
    assert (TESTS / twin(module)).is_file(), f"write tests/{twin(module)}"


@pytest.mark.parametrize(
    "path",
    sorted([*ROOT.rglob("*.py"), *TESTS.rglob("*.py")]),
    ids=lambda path: path.relative_to(TESTS.parent).as_posix(),
)
def test_files_and_functions_are_short(path: Path) -> None:
    assert list(too_long(path)) == []


def test_exceptions_go_when_they_have_a_test() -> None:
    assert [module for module in WITHOUT_TWIN if (TESTS / twin(module)).is_file()] == []


def test_the_modules_are_really_looked_at() -> None:
    found = modules(ROOT)
    assert {"errors.py", "oci/digest.py", "mirror/names.py"} <= set(found)
    assert "oci/__init__.py" not in found


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        ("errors.py", "unit/test_errors.py"),
        ("oci/digest.py", "unit/oci/test_digest.py"),
        ("web/__init__.py", "unit/web/test_web.py"),
    ],
)
def test_the_twin_has_the_same_place(module: str, expected: str) -> None:
    assert twin(module).as_posix() == expected


def test_a_long_file_and_a_long_function_are_found(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_text("def f():\n" + "    pass\n" * 60 + "#\n" * 340)
    assert list(too_long(path)) == ["a.py: 401 lines", "a.py: f has 61 lines"]
    path.write_text("def f():\n" + "    pass\n" * 59 + "#\n" * 340)
    assert list(too_long(path)) == []
