"""`entrepot doctor`: what is written for a person. What is found out is tested below it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fakes.copies import compact
from fakes.images import image
from unit.cli.mirrored import NAME, Mirrored, mirrored

ONE, OTHER = image("one", layers=(300_000,)), image("other")


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Mirrored]:
    async with mirrored(tmp_path) as made:
        made.owner.put_image("pause", "1", ONE)
        yield made


async def test_table_remarks_and_settings(site: Mirrored) -> None:
    site.mirror.put_image("pause", "1", OTHER)
    result = await site.run("doctor", NAME)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[:2] == [NAME, f"  is {ONE.digest}: the registry that owns the name said so: owner"]
    [first] = [line for line in lines if line.startswith("1.  mirror")]
    [second] = [line for line in lines if line.startswith("2.  owner (authority)")]
    assert "other" in first
    assert "verbatim" in second
    assert "MiB/s" in second
    assert "# Suggested, by registry.example/pause:1 alone:" in lines
    assert [line.strip()[:6] for line in lines[-3:-1]] == ["- {url", "- {url"]


async def test_an_order_that_is_right_is_told_to_be(site: Mirrored) -> None:
    site.mirror.put_image("pause", "1", ONE)
    site.owner.content.repositories.clear()
    result = await site.run("doctor", NAME, "--sample", "0")
    assert "The order of the mirrors is right as it is." in result.stdout
    assert "no such tag" in result.stdout
    assert "nobody vouches for a digest" in result.stdout
    assert "not compared" in result.stdout
    assert not site.mirror.asked("/blobs/")


async def test_nobody_within_reach_says_nothing_of_the_order(site: Mirrored) -> None:
    await site.owner.stop()
    await site.mirror.stop()
    result = await site.run("doctor", NAME)
    assert result.exit_code == 1
    assert "No mirror could be reached" in result.stdout
    assert "right as it is" not in result.stdout


async def test_nobody_of_any_use_says_nothing_of_the_order_but_what_to_do(site: Mirrored) -> None:
    await site.mirror.stop()
    site.owner.content.repositories.clear()
    result = await site.run("doctor", NAME)
    assert result.exit_code == 1
    assert "right as it is" not in result.stdout
    told = result.stdout.partition(f"No mirror was of any use for {NAME}")[2].splitlines()
    assert [line.partition(":")[0] for line in told[1:3]] == [
        "* no such tag",
        "* unreachable, silent",
    ]
    assert "denied" not in result.stdout
    assert "registries:" not in result.stdout


async def test_json_and_status(site: Mirrored) -> None:
    site.mirror.put_image("pause", "1", OTHER)
    await site.owner.stop()
    result = await site.run("doctor", NAME, "--json", "--pins", site.pin(ONE))
    assert result.exit_code == 1
    [found] = json.loads(result.stdout)["examinations"]
    assert [one["state"] for one in found["mirrors"]] == ["answers", "unreachable"]
    assert found["suggestion"][0]["mirror"]["name"] == "mirror"
    text = await site.run("doctor", NAME, "--pins", site.pin(ONE))
    assert "differs" in text.stdout


async def test_a_copy_written_anew_is_explained(site: Mirrored) -> None:
    site.mirror.put_manifest("pause", "1", compact(ONE.manifest))
    result = await site.run("doctor", NAME)
    assert "mirror: written back: 3 spaces" in result.stdout
    assert "re-serialised: The owner's manifest, written anew" in result.stdout


async def test_registries_without_a_sample_are_left_out(site: Mirrored) -> None:
    result = await site.run("doctor")
    assert result.exit_code == 0
    assert "odd.example is left out: say which image" in result.stderr
    assert site.owner.requests == []


@pytest.mark.parametrize("words", [["odd.example"], ["elsewhere.example/a:1"], ["--sample", "x"]])
async def test_what_cannot_be_examined_is_status_2(site: Mirrored, words: list[str]) -> None:
    assert (await site.run("doctor", *words)).exit_code == 2
