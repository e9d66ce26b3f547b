"""The server goes on while its file is bad, and the commands that ask it do too."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from unit.cli.stopped import NAME, Stopped
from unit.store.keeping import REGISTRY
from unit.web.serving import serving

ASKING = (
    ("health",),
    ("status",),
    ("ls",),
    ("offline", "off"),
    ("keep",),
    ("gc",),
    ("prefetch", f"{NAME}:1"),
)
SECRET = [
    {
        "url": "http://127.0.0.1:1",
        "credentials": {"username": "robot", "password_env": "NOT_SET_IN_THIS_SHELL"},
    }
]
SECRET_FILE = [
    {
        "url": "http://127.0.0.1:1",
        "credentials": {"username": "robot", "password_file": "/run/credentials/none"},
    }
]


def written(site: Stopped, text: str, admin: str) -> None:
    """The settings with a mistake in them; `ADMIN` and `CACHE` stand for what is right."""
    site.file.write_text(text.replace("ADMIN", admin).replace("CACHE", str(site.cache)))


@pytest.mark.parametrize("words", ASKING, ids=" ".join)
@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("admin: ADMIN\ncache: {path: CACHE}\nnonsense: 1\n", "entrepot.yaml:3: nonsense"),
        ("admin: ADMIN\nlisten: [\ncache:\n  path: CACHE\n", "entrepot.yaml:4: not YAML"),
        ("admin: ADMIN\ncache: {path: CACHE, max_siez: 1}\nlog: 3\n", "(and 1 mistake more)"),
    ],
    ids=["unknown key", "no yaml", "beside what is needed"],
)
async def test_server_is_asked_whatever_became_of_its_file(
    tmp_path: Path, words: tuple[str, ...], text: str, told: str
) -> None:
    site = Stopped(tmp_path)
    async with serving(tmp_path, "http://127.0.0.1:1") as server:
        written(site, text, server.admin)
        result = await site.run(*words)
    assert result.exit_code == (1 if words[0] == "prefetch" else 0)
    warning, *_ = result.stderr.splitlines()
    assert warning.startswith("warning: ")
    assert told in warning
    assert "only `admin` and `cache.path` are used" in warning


@pytest.mark.parametrize("words", ASKING, ids=" ".join)
@pytest.mark.parametrize("mirrors", [SECRET, SECRET_FILE], ids=["variable", "file"])
async def test_secrets_of_mirrors_are_the_servers_business(
    tmp_path: Path, words: tuple[str, ...], mirrors: object
) -> None:
    site = Stopped(tmp_path)
    async with serving(tmp_path, "http://127.0.0.1:1") as server:
        site.configure(admin=server.admin, registries={REGISTRY: {"mirrors": mirrors}})
        result = await site.run(*words)
    assert result.exit_code == (1 if words[0] == "prefetch" else 0)
    assert "credentials" not in result.stderr


async def test_stopped_directory_wants_no_secrets_but_for_fetching(stopped: Stopped) -> None:
    stopped.configure(registries={REGISTRY: {"mirrors": SECRET}})
    result = await stopped.run("ls")
    assert (result.exit_code, result.stderr) == (0, "")
    result = await stopped.run("prefetch", f"{NAME}:3")
    assert result.exit_code == 2
    assert "credentials.password_env: this environment variable is not set" in result.stderr


async def test_stopped_directory_is_not_opened_by_half_a_file(stopped: Stopped) -> None:
    """What is to be kept may stand in the other half."""
    document = json.loads(stopped.file.read_text()) | {"nonsense": 1}
    stopped.file.write_text(json.dumps(document))
    result = await stopped.run("gc")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "nonsense: unknown key" in result.stderr


@pytest.mark.parametrize(
    "text",
    ["admin: nonsense\nlog: 3\n", "cache: {path: 3}\n", "{admin: ADMIN, [", "- admin\n"],
    ids=["admin", "cache", "one line", "no mapping"],
)
async def test_what_says_not_where_to_ask_is_status_2(tmp_path: Path, text: str) -> None:
    site = Stopped(tmp_path)
    async with serving(tmp_path, "http://127.0.0.1:1") as server:
        written(site, text, server.admin)
        for command in ("health", "ls"):
            result = await site.run(command)
            assert result.exit_code == 2
            assert str(site.file) in result.stderr


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (("pins", "check", "--cache-only"), 0),
        (("pins", "check"), 2),
        (("pins", "lock"), 0),
        (("pins", "lock", f"{NAME}:1"), 0),
        (("pins", "lock", f"{NAME}:3"), 2),
        (("doctor", REGISTRY), 2),
    ],
)
async def test_only_who_asks_mirrors_needs_their_secrets(
    stopped: Stopped, words: tuple[str, ...], status: int
) -> None:
    stopped.configure(registries={REGISTRY: {"mirrors": SECRET}})
    result = await stopped.run(*words)
    assert result.exit_code == status, result.stderr
    assert ("password_env: this environment variable is not set" in result.stderr) == (status == 2)
