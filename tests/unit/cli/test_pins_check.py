"""`entrepot pins check`: what is written, and the status."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fakes.images import image
from unit.cli.mirrored import NAME, Mirrored, mirrored
from unit.store.keeping import keeping

ONE, OTHER = image("one"), image("other")


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Mirrored]:
    """A cache with ONE as 1 and OTHER as 2; the owner has 1 too."""
    async with keeping(tmp_path / "cache") as cache:
        await cache.put_image("1", image=ONE)
        await cache.put_image("2", image=OTHER)
    async with mirrored(tmp_path) as made:
        made.owner.put_image("pause", "1", ONE)
        yield made


async def test_all_as_pinned(site: Mirrored) -> None:
    result = await site.run("pins", "check", "--pins", site.pin(ONE))
    assert result.exit_code == 0, result.output
    lines = [line.split() for line in result.stdout.splitlines()]
    assert lines[1:4] == [
        ["cache", "1", "0", "0"],
        ["registry.example,", "mirror", "0", "0", "1"],
        ["registry.example,", "owner", "1", "0", "0"],
    ]
    assert "1 tag in the cache without a pin" in result.stdout
    assert "mirror: answered 404" in result.stdout


async def test_something_else_is_told_and_status_1(site: Mirrored) -> None:
    pins = site.pin(OTHER)
    result = await site.run("pins", "check", "--pins", pins)
    assert result.exit_code == 1
    where = f"{NAME}: pinned to {OTHER.digest} in {pins}:5"
    assert f"{where}; the cache has {ONE.digest}" in result.stdout
    assert f"{where}; owner has {ONE.digest}" in result.stdout
    told = json.loads((await site.run("pins", "check", "--json", "--pins", pins)).stdout)
    assert [one["right"] for one in told["cache"]] == [False]
    assert {one["mirror"]: one["right"] for one in told["mirrors"]} == {
        "mirror": None,
        "owner": False,
    }


async def test_cache_or_mirrors_alone(site: Mirrored) -> None:
    pins = site.pin(ONE)
    result = await site.run("pins", "check", "--cache-only", "--pins", pins)
    assert (result.exit_code, site.owner.requests) == (0, [])
    result = await site.run("pins", "check", "pause", "--mirrors-only", "--pins", pins)
    assert (result.exit_code, "cache" in result.stdout) == (0, False)
    both = await site.run("pins", "check", "--mirrors-only", "--cache-only")
    assert both.exit_code == 2
