"""What is installed is complete, locked, and the same wherever it is installed from."""

from __future__ import annotations

import importlib.metadata
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from entrepot import __version__

ROOT = Path(__file__).parents[2]
LOCKS = {"requirements.lock": ("build",), "requirements-dev.lock": ("build", "dev")}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

_PIN = re.compile(r"(?P<name>[a-z0-9._-]+)==(?P<version>[^\s;]+)(?P<marker> ; .+)?")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")

# With a ~ in each word, taken out below, or this file would be the first one found.
_ELSEWHERE = re.compile(
    r"""
    py~pi\. | python~hosted\. | /sim~ple/
    | (?:--|^)(?:extra-)?index-~url[\s=] | --find-~links | --trusted-~host | \bPIP_[A-Z]+_~URL
    | (?<![\w.*])/(?: wo~rk | ho~me | ro~ot | Us~ers | tm~p )/
    """.replace("~", ""),
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Pin:
    """One requirement of a lock file; `marker` says where it is wanted, "" means everywhere."""

    version: str
    marker: str
    hashes: frozenset[str]


def pins(text: str) -> dict[str, Pin]:
    """Read a lock file; ValueError for a line that is neither a pin, nor a comment, nor blank."""
    found = {}
    for line in text.replace("\\\n", " ").splitlines():
        wanted, *hashes = line.split(" --hash=")
        if not wanted.strip() or wanted.lstrip().startswith("#"):
            continue
        match = _PIN.fullmatch(wanted.strip())
        if match is None:
            raise ValueError(f"not a pin: {line}")
        digests = frozenset(_HASH.findall(line))
        if len(digests) != len(hashes):
            raise ValueError(f"not all sha256: {line}")
        found[match["name"]] = Pin(match["version"], (match["marker"] or "").strip(" ;"), digests)
    return found


def locked(name: str) -> Mapping[str, Pin]:
    return pins((ROOT / name).read_text())


def tracked() -> list[Path]:
    """Every file in git; the test is skipped where the tree is not a clone."""
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("not a git clone")
    # As root in somebody else's clone git would answer nothing without the option.
    command = [git, "-c", f"safe.directory={ROOT}", "ls-files", "-z"]
    listing = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [ROOT / name for name in listing.split("\0") if name and (ROOT / name).is_file()]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel, built from a copy of what the Dockerfile copies, with the setuptools installed."""
    directory = tmp_path_factory.mktemp("wheel")
    source = directory / "source"
    left_out = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for name in ("server", "config"):
        shutil.copytree(ROOT / name, source / name, ignore=left_out)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    build = f"from setuptools.build_meta import build_wheel; build_wheel({str(directory)!r})"
    subprocess.run([sys.executable, "-c", build], cwd=source, check=True, capture_output=True)
    (built,) = directory.glob("*.whl")
    return zipfile.ZipFile(built)


def test_setuptools_is_the_locked_one() -> None:
    assert (
        importlib.metadata.version("setuptools")
        == locked("requirements.lock")["setuptools"].version
    )


def test_wheel_has_every_module(wheel: zipfile.ZipFile) -> None:
    modules = {
        path.relative_to(ROOT / "server").as_posix()
        for path in (ROOT / "server" / "entrepot").rglob("*.py")
    }
    assert "entrepot/__main__.py" in modules
    assert modules - set(wheel.namelist()) == set()


def test_wheel_has_types_and_every_settings_file(wheel: zipfile.ZipFile) -> None:
    settings = {
        f"entrepot_defaults/{path.relative_to(ROOT / 'config').as_posix()}"
        for path in (ROOT / "config").rglob("*.yaml")
    }
    expected = {"entrepot_defaults/entrepot.yaml", "entrepot_defaults/presets/china.yaml"}
    assert expected <= settings
    assert {"entrepot/py.typed", *settings} - set(wheel.namelist()) == set()


def test_wheel_has_all_that_the_status_page_is_made_of(wheel: zipfile.ZipFile) -> None:
    pages = ROOT / "server" / "entrepot" / "web" / "status"
    parts = {
        path.relative_to(ROOT / "server").as_posix()
        for path in pages.iterdir()
        if path.suffix in {".html", ".css", ".js"}
    }
    assert len(parts) > 9
    assert parts - set(wheel.namelist()) == set()


def test_wheel_has_nothing_else(wheel: zipfile.ZipFile) -> None:
    tops = {name.partition("/")[0] for name in wheel.namelist()}
    assert tops == {"entrepot", "entrepot_defaults", f"entrepot-{__version__}.dist-info"}
    assert not [name for name in wheel.namelist() if name.endswith((".pyc", ".c"))]


def test_wheel_tells_the_command_and_the_licence(wheel: zipfile.ZipFile) -> None:
    info = f"entrepot-{__version__}.dist-info"
    assert "entrepot = entrepot.cli:main" in wheel.read(f"{info}/entry_points.txt").decode()
    assert any(name.startswith(info) and name.endswith("LICENSE") for name in wheel.namelist())
    metadata = wheel.read(f"{info}/METADATA").decode()
    assert "Requires-Python: >=3.11" in metadata.splitlines()


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_has_hashes(lock: str) -> None:
    found = locked(lock)
    assert len(found) > 10
    assert [name for name, pin in found.items() if not pin.hashes] == []


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_satisfies_the_project(lock: str) -> None:
    wanted = list(PROJECT["dependencies"])
    for extra in LOCKS[lock]:
        wanted += PROJECT["optional-dependencies"][extra]
    found = locked(lock)
    for requirement in map(Requirement, wanted):
        pin = found[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(pin.version), f"make lock: {requirement}"


def test_development_has_the_versions_that_are_run() -> None:
    """Markers may differ: what one wants on one system, the other may want on all."""
    run, development = locked("requirements.lock"), locked("requirements-dev.lock")
    for name, pin in run.items():
        assert (pin.version, pin.hashes) == (development[name].version, development[name].hashes)


def test_nothing_committed_names_this_machine_or_an_index() -> None:
    """pip asks where it is told to ask on the machine it runs on; no file here says where."""
    files = tracked()
    assert ROOT / "Makefile" in files
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in files
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), start=1)
        if _ELSEWHERE.search(line)
    ]
    assert found == []


@pytest.mark.parametrize(
    "line",
    [
        "https://py~pi.example/x",
        "--index-~url https://mirror.example",
        "--extra-index-~url https://mirror.example",
        "index-~url = https://mirror.example",
        "PIP_INDEX_~URL=x",
        "cd /wo~rk/main",
        "'/tm~p/x'",
    ],
)
def test_the_scan_finds_what_it_looks_for(line: str) -> None:
    assert _ELSEWHERE.search(line.replace("~", ""))


@pytest.mark.parametrize(
    "line",
    ["cache: /var/lib/entrepot", "--no-emit-index-~url --universal", "docs/wo~rk", "a/tm~p/"],
)
def test_the_scan_finds_nothing_else(line: str) -> None:
    assert not _ELSEWHERE.search(line.replace("~", ""))


@pytest.mark.parametrize(
    "text",
    ["aiohttp>=3\n", "-r more.lock\n", "aiohttp==3 --hash=md5:0\n", "--extra-option x\n"],
)
def test_a_lock_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not "):
        pins(text)
