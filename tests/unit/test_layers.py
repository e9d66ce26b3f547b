"""The import graph is the architecture: each layer imports only the ones named here."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = "entrepot"
ROOT = Path(__file__).parents[2] / "server" / PACKAGE

COMMON = {"errors", "tasks", "log", "metrics"}
MAY_IMPORT = {
    "errors": set[str](),
    "tasks": {"errors"},
    "log": {"errors"},
    "metrics": {"errors"},
    "activation": set[str](),
    "allocator": set[str](),
    "wording": set[str](),
    "descriptors": set[str](),
    "oci": {"errors"},
    "archive": {"oci"} | COMMON,
    "setup": set[str](),
    "trust": {"oci"} | COMMON,
    "store": {"oci"} | COMMON,
    "config": {"oci"} | COMMON,
    "upstream": {"oci", "config"} | COMMON,
    "mirror": {"oci", "config", "store", "upstream", "trust"} | COMMON,
    "web": {"oci", "config", "mirror", "setup", "wording"} | COMMON,
    "survey": {"oci", "config", "upstream", "mirror", "trust"} | COMMON,
    "assembly": {"oci", "config", "mirror", "setup", "store", "upstream", "trust", "web"} | COMMON,
    "generation": {"assembly", "config", "mirror", "web"} | COMMON,
    "app": {
        "activation",
        "assembly",
        "generation",
        "oci",
        "config",
        "mirror",
        "store",
        "upstream",
        "trust",
        "web",
        "descriptors",
    }
    | COMMON,
    "atrest": {"assembly", "generation", "config", "mirror", "web"} | COMMON,
    "cli": {
        "oci",
        "trust",
        "config",
        "app",
        "atrest",
        "archive",
        "clients",
        "activation",
        "survey",
        "setup",
        "allocator",
        "descriptors",
        "wording",
    }
    | COMMON,
    "__main__": {"cli"},
}
# A mirror's settings hold its naming rule, and the rule is upstream's own noun.
# What is asked of an answer, and the keys of who signs, are said in trust's own words.
# A command may find out whether a server uses the cache, and opens it by way of `atrest`.
MODULES_TOO = {
    ("config", "entrepot.upstream.naming"),
    ("config", "entrepot.trust.policy"),
    ("config", "entrepot.trust.cosignkey"),
    ("config", "entrepot.trust.cosignkeyless"),
    ("cli", "entrepot.store.lock"),
}
# A library belongs to the layers that exist to hide it.
LIBRARIES = {
    "aiohttp": {"upstream", "web", "app"},
    "aiosqlite": {"store"},
    "yaml": {"config", "cli", "trust"},
    "pydantic": {"config"},
    "cryptography": {"trust"},
    "sigstore": {"trust"},
    "zstandard": {"archive"},
    "asyncio": set(MAY_IMPORT) - {"trust"},
}
PURE = {"oci": {"asyncio", "os"}, "setup": {"asyncio", "os"}, "errors": {"asyncio", "os"}}


def name_of(path: Path, root: Path) -> str:
    parts = path.relative_to(root.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(tree: ast.AST, known: set[str]) -> Iterator[str]:
    """Name each module imported anywhere in the file, also inside functions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            inner = {f"{module}.{alias.name}" for alias in node.names} & known
            yield from inner or {module}


def graph(root: Path) -> dict[str, set[str]]:
    paths = {name_of(path, root): path for path in root.rglob("*.py")}
    return {
        name: set(imports(ast.parse(path.read_text()), set(paths))) for name, path in paths.items()
    }


def layer_of(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def objections(importer: str, imported: str) -> Iterator[str]:
    layer, top = layer_of(importer), imported.split(".", maxsplit=1)[0]
    arrow = f"{importer} -> {imported}"
    if imported.startswith("."):
        yield f"{arrow}: relative"
    elif top == PACKAGE:
        target = layer_of(imported)
        if layer and layer not in MAY_IMPORT:
            yield f"{importer}: no such layer"
        elif target not in MAY_IMPORT.get(layer, set()) | {layer, ""} and (
            (layer, imported) not in MODULES_TOO
        ):
            yield f"{arrow}: not downwards"
    elif layer not in LIBRARIES.get(top, {layer}):
        yield f"{arrow}: not here"
    elif layer in PURE and (top in PURE[layer] or top not in sys.stdlib_module_names):
        yield f"{arrow}: not pure"


def violations(root: Path) -> list[str]:
    """Tell everything in the package that goes against the tables above, or round in a circle."""
    edges = graph(root)
    found = [
        objection
        for importer, targets in sorted(edges.items())
        for imported in sorted(targets)
        for objection in objections(importer, imported)
    ]
    try:
        TopologicalSorter({name: targets & set(edges) for name, targets in edges.items()}).prepare()
    except CycleError as error:
        found.append("cycle: " + " -> ".join(error.args[1]))
    return found


def test_layers_import_downwards_only() -> None:
    assert violations(ROOT) == []


def test_the_package_is_really_looked_at() -> None:
    edges = graph(ROOT)
    assert "entrepot.oci.digest" in edges["entrepot.mirror.names"]
    assert {layer_of(name) for name in edges} >= {"oci", "store", "upstream", "mirror", "web"}


@pytest.mark.parametrize(
    ("where", "source", "objection"),
    [
        ("oci/a.py", "import asyncio", "entrepot.oci.a -> asyncio: not pure"),
        ("oci/a.py", "import os.path", "entrepot.oci.a -> os.path: not pure"),
        ("oci/a.py", "import yarl", "entrepot.oci.a -> yarl: not pure"),
        ("oci/a.py", "import entrepot.tasks", "entrepot.oci.a -> entrepot.tasks: not downwards"),
        (
            "store/a.py",
            "from entrepot.upstream import naming",
            "entrepot.store.a -> entrepot.upstream: not downwards",
        ),
        (
            "upstream/a.py",
            "def f():\n    from entrepot.store.b import C",
            "entrepot.upstream.a -> entrepot.store.b: not downwards",
        ),
        (
            "mirror/a.py",
            "from entrepot import web",
            "entrepot.mirror.a -> entrepot.web: not downwards",
        ),
        ("mirror/a.py", "from aiohttp import web", "entrepot.mirror.a -> aiohttp: not here"),
        ("web/a.py", "import aiosqlite", "entrepot.web.a -> aiosqlite: not here"),
        (
            "web/a.py",
            "import entrepot.store.b",
            "entrepot.web.a -> entrepot.store.b: not downwards",
        ),
        (
            "config/a.py",
            "from entrepot.upstream.mirror import X",
            "entrepot.config.a -> entrepot.upstream.mirror: not downwards",
        ),
        ("trust/a.py", "import asyncio", "entrepot.trust.a -> asyncio: not here"),
        ("store/a.py", "from . import b", "entrepot.store.a -> .: relative"),
        ("nowhere/a.py", "import entrepot.oci", "entrepot.nowhere.a: no such layer"),
        ("errors.py", "import aiohttp", "entrepot.errors -> aiohttp: not here"),
    ],
)
def test_a_planted_violation_is_found(
    tmp_path: Path, where: str, source: str, objection: str
) -> None:
    root = tmp_path / PACKAGE
    for planted, text in {"__init__.py": "", "web/__init__.py": "", where: source}.items():
        (root / planted).parent.mkdir(parents=True, exist_ok=True)
        (root / planted).write_text(text)
    assert violations(root) == [objection]


def test_what_is_allowed_is_not_objected_to(tmp_path: Path) -> None:
    root = tmp_path / PACKAGE
    root.mkdir()
    (root / "config").mkdir()
    (root / "config" / "a.py").write_text(
        "import re\nimport yaml\nfrom entrepot.upstream.naming import X\nfrom entrepot import V"
    )
    (root / "app.py").write_text("import aiohttp\nfrom entrepot.web.b import Y")
    assert violations(root) == []


def test_a_circle_inside_a_layer_is_found(tmp_path: Path) -> None:
    root = tmp_path / PACKAGE
    (root / "oci").mkdir(parents=True)
    (root / "oci" / "a.py").write_text("from entrepot.oci.b import B")
    (root / "oci" / "b.py").write_text("from entrepot.oci import a")
    [found] = violations(root)
    assert found.startswith("cycle: entrepot.oci.")
