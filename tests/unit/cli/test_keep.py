"""`entrepot keep` on a directory."""

from __future__ import annotations

import json

from unit.cli.stopped import NAME, Stopped


async def test_pattern_is_kept_until_it_is_removed(stopped: Stopped) -> None:
    kept = await stopped.run("keep", f"{NAME}:1*")
    assert (kept.exit_code, kept.output) == (0, f"kept: {NAME}:1*\n")
    assert (await stopped.run("keep")).stdout == f"{NAME}:1*\n"
    removed = await stopped.run("keep", "--remove", f"{NAME}:1*")
    assert (removed.exit_code, removed.output) == (0, f"no longer kept: {NAME}:1*\n")
    assert (await stopped.run("keep")).stdout == "nothing is kept\n"


async def test_pattern_that_is_not_kept_cannot_be_removed(stopped: Stopped) -> None:
    result = await stopped.run("keep", "--remove", NAME)
    assert (result.exit_code, result.stdout) == (1, "")
    assert NAME in result.stderr


async def test_those_of_the_settings_are_marked(stopped: Stopped) -> None:
    stopped.configure(cache={"path": str(stopped.cache), "keep": [f"{NAME}:2"]})
    assert (await stopped.run("keep", f"{NAME}:1")).exit_code == 0
    result = await stopped.run("keep")
    assert result.stdout.splitlines() == [f"{NAME}:1", f"{NAME}:2  (settings)"]
    told = json.loads((await stopped.run("keep", "--json")).stdout)
    assert (told["told"], told["settings"]) == ([f"{NAME}:1"], [f"{NAME}:2"])


async def test_what_is_no_pattern_is_misuse_and_is_not_kept(stopped: Stopped) -> None:
    result = await stopped.run("keep", "registry.example/UPPER")
    assert result.exit_code == 2
    assert "not a pattern" in result.stderr
    assert (await stopped.run("keep")).stdout == "nothing is kept\n"


async def test_remove_without_a_pattern_is_misuse(stopped: Stopped) -> None:
    assert (await stopped.run("keep", NAME)).exit_code == 0
    result = await stopped.run("keep", "--remove")
    assert result.exit_code == 2
    assert "which pattern is to be removed?" in result.stderr
    assert (await stopped.run("keep")).stdout == f"{NAME}\n"
