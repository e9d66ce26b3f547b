"""`entrepot ls` on a directory, and how it words platforms."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from entrepot.cli.ls import platforms_text
from unit.cli.stopped import NAME, ONE, Stopped


async def test_images_are_a_table(stopped: Stopped) -> None:
    result = await stopped.run("ls")
    assert (result.exit_code, result.stderr) == (0, "")
    heads, *rows = result.stdout.splitlines()
    assert heads.split() == ["IMAGE", "PLATFORMS", "SIZE", "LAST", "USE", "FROM"]
    assert [row.split()[0] for row in rows] == [f"{NAME}:1", f"{NAME}:2"]
    assert all(row.endswith("  first") for row in rows)


async def test_json_tells_sizes_in_bytes(stopped: Stopped) -> None:
    result = await stopped.run("ls", f"{NAME}:1", "--json")
    [found] = json.loads(result.stdout)["images"]
    assert (found["name"], found["complete"]) == (f"{NAME}:1", True)
    assert found["size"] == len(ONE.manifest) + sum(map(len, ONE.blobs))


async def test_nothing_that_matches_is_status_1(stopped: Stopped) -> None:
    result = await stopped.run("ls", "none/such")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "nothing matches none/such\n"
    result = await stopped.run("ls", "none/such", "--json")
    assert (result.exit_code, json.loads(result.stdout)) == (1, {"images": []})


async def test_empty_cache_is_no_failure(tmp_path: Path) -> None:
    empty = Stopped(tmp_path)
    empty.configure()
    async with empty.opened():
        pass
    result = await empty.run("ls")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "the cache is empty\n"


def platform(name: str | None, share: int, here: bool = True) -> dict[str, Any]:
    told = {"platform": name, "complete": share == 100, "here": here}
    return told | {"bytes": share // 2, "bytes_begun": share - share // 2, "bytes_total": 100}


@pytest.mark.parametrize(
    ("platforms", "text"),
    [
        ([], "-"),
        ([platform(None, 100)], "all"),
        ([platform("b", 40), platform("a", 100)], "a, b INCOMPLETE 40%"),
        ([platform("a", 100), platform("b", 0, here=False)], "a (+1 not here)"),
        (
            [platform("a", 0, here=False), platform("b", 0, here=False)],
            "index only (+2 not here)",
        ),
    ],
)
def test_whole_platforms_come_first(platforms: list[dict[str, Any]], text: str) -> None:
    assert platforms_text(platforms, 332) == text


def test_incomplete_is_never_100_percent_nor_divided_by_0() -> None:
    almost = {
        "platform": "a",
        "complete": False,
        "here": True,
        "bytes": 999,
        "bytes_begun": 0,
        "bytes_total": 999,
    }
    assert platforms_text([almost], 999) == "a INCOMPLETE 99%"
    assert platforms_text([almost | {"bytes": 0, "bytes_total": 0}], 9) == "a INCOMPLETE 0%"
    assert platforms_text([almost | {"here": False}], 0) == "nothing here"
