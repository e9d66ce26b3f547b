"""`entrepot rm` on a directory, and how it tells what stayed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from entrepot.cli.rm import told_lines
from entrepot.oci.digest import Digest
from unit.cli.stopped import NAME, ONE, TWO, Stopped


async def test_what_others_need_stays(stopped: Stopped) -> None:
    result = await stopped.run("rm", f"{NAME}:1")
    assert (result.exit_code, result.stderr) == (0, "")
    removed, freed, shared = result.stdout.splitlines()
    assert removed == f"removed {NAME}:1"
    assert freed.startswith("  freed ")
    assert freed.endswith("(3 blobs)")
    assert shared.startswith("  1 blob, ")
    assert shared.endswith(" stay: other images need them")
    async with stopped.opened() as cache:
        assert await cache.tags() == ["2"]
        held = {data for data in (*ONE.blobs, *TWO.blobs) if cache.path(Digest.of(data)).exists()}
    assert held == set(TWO.blobs)


async def test_missing_one_is_status_1_and_the_others_go(stopped: Stopped) -> None:
    result = await stopped.run("rm", f"{NAME}:none", f"{NAME}:2", "--json")
    told = json.loads(result.stdout)
    assert result.exit_code == 1
    assert [each["names"] for each in told["removed"]] == [[f"{NAME}:2"]]
    [missing] = told["missing"]
    assert result.stderr == f"Error: {missing}\n"
    async with stopped.opened() as cache:
        assert await cache.tags() == ["1"]


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("rm", "docker.io/library/pause:1 is not here"),
        ("export -o none.tar", "docker.io/library/pause:1 is not here"),
        ("verify", "docker.io/library/pause:1 is not here"),
        ("why", "Error: nothing is known of docker.io/library/pause:1"),
        ("keep", "not a pattern of images"),
    ],
)
async def test_an_image_of_another_registry_is_named(
    stopped: Stopped, command: str, told: str
) -> None:
    """By these commands nobody finds out which registry a bare name is of."""
    result = await stopped.run(*command.split(), "pause:1")
    assert result.exit_code != 0
    assert told in result.stderr
    assert f"; did you mean {NAME}:1?" in result.stderr
    assert "did you mean" not in (await stopped.run(*command.split(), "pause:none")).stderr


async def test_nothing_to_remove_is_misuse(stopped: Stopped) -> None:
    result = await stopped.run("rm")
    assert result.exit_code == 2
    assert "IMAGE" in result.stderr
    async with stopped.opened() as cache:
        assert await cache.tags() == ["1", "2"]


def removal(**told: object) -> dict[str, Any]:
    none = {"blobs": 0, "bytes": 0}
    plain = {"name": "r/a@d", "names": [], "digest": "d", "listed": False, "remaining": []}
    return plain | {"freed": none, "shared": none, "in_use": none} | told


USED = {"blobs": 1, "bytes": 2048}


@pytest.mark.parametrize(
    ("told", "lines"),
    [
        (removal(), ["removed r/a@d", "  freed 0 B (0 blobs)"]),
        (
            removal(names=["r/a:1"], remaining=["r/a:2", "r/b:1"]),
            ["removed r/a:1", "  it is still here as r/a:2, r/b:1"],
        ),
        (removal(listed=True), ["  d stays: another image lists it", "  freed 0 B (0 blobs)"]),
        (
            removal(names=["r/a:1"], freed=USED, in_use=USED),
            [
                "removed r/a:1",
                "  freed 2.0 KiB (1 blob)",
                "  1 blob, 2.0 KiB stay until the next `entrepot gc`: somebody is using them",
            ],
        ),
    ],
)
def test_reason_is_told_for_what_stays(told: dict[str, Any], lines: list[str]) -> None:
    assert list(told_lines(told)) == lines
