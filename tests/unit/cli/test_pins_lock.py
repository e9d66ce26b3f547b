"""`entrepot pins lock`: of a cache, of pins, of mirrors."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fakes.images import image, index
from unit.cli.mirrored import NAME, Mirrored, mirrored
from unit.store.keeping import keeping

ONE, OTHER = image("one"), image("other")


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Mirrored]:
    """A cache with ONE as 1; the owner has OTHER as 2."""
    async with keeping(tmp_path / "cache") as cache:
        await cache.put_image("1", image=ONE)
    async with mirrored(tmp_path) as made:
        made.owner.put_image("pause", "2", OTHER)
        yield made


async def test_what_the_cache_has(site: Mirrored) -> None:
    result = await site.run("pins", "lock")
    assert result.exit_code == 0, result.output
    assert f"  {NAME}: {ONE.digest}  # first\n" in result.stdout
    assert "source: what a cache holds" in result.stdout
    assert f"nobody vouches for 1 digest: {NAME}" in result.stderr


async def test_a_tag_of_which_only_the_index_is_here_is_left_out(site: Mirrored) -> None:
    """As a prefetch leaves it whose platform could not be had."""
    three = NAME.replace(":1", ":3")
    both = index([image("p", platform=each) for each in ("linux/amd64", "linux/arm64")])
    site.owner.put_image("pause", "3", both)
    failed = await site.run("prefetch", three, "--platform", "linux/s390x")
    assert failed.exit_code == 1
    listed = await site.run("ls", three)
    assert "index only (+2 not here)" in listed.stdout
    result = await site.run("pins", "lock")
    assert (result.exit_code, three in result.stdout) == (0, False)
    assert f"  {NAME}: {ONE.digest}  # first\n" in result.stdout


async def test_a_pin_wins_over_the_cache(site: Mirrored) -> None:
    result = await site.run("pins", "lock", "--pins", site.pin(OTHER))
    assert f"  {NAME}: {OTHER.digest}  # pin\n" in result.stdout
    assert f"{NAME} is {ONE.digest} in the cache, not as pinned" in result.stderr


async def test_what_the_cache_has_not_is_asked_for(site: Mirrored) -> None:
    two = NAME.replace(":1", ":2")
    result = await site.run("pins", "lock", NAME, two)
    assert f"  {NAME}: {ONE.digest}  # first\n" in result.stdout
    assert f"  {two}: {OTHER.digest}  # authority\n" in result.stdout
    assert "source: a list of images" in result.stdout
    await asyncio.to_thread((site.directory / "bin").write_bytes, b"\xff\xfe")
    unread = await site.run("pins", "lock", "-f", str(site.directory / "bin"))
    assert (unread.exit_code, "bin: is not UTF-8 text" in unread.stderr) == (2, True)
    lacking = await site.run("pins", "lock", NAME.replace(":1", ":3"))
    assert (lacking.exit_code, "there is no such tag" in lacking.stderr) == (1, True)


async def test_an_image_of_another_registry_is_named(site: Mirrored) -> None:
    file = site.directory / "entrepot.yaml"
    document = json.loads(await asyncio.to_thread(file.read_text))
    document["registries"]["docker.io"] = {"mirrors": [site.mirror.url]}
    await asyncio.to_thread(file.write_text, json.dumps(document))
    for words in (("pins", "lock"), ("doctor",)):
        result = await site.run(*words, "pause:1", "--pins", site.pin(ONE))
        assert result.exit_code == 1
        assert f"; did you mean {NAME}?" in result.output


async def test_a_lock_is_written_once_and_checked(site: Mirrored) -> None:
    lock = site.directory / "images.lock"
    words = ("pins", "lock", "-o", str(lock))
    assert (await site.run(*words, "--check")).exit_code == 1
    assert not lock.exists()
    assert (await site.run(*words)).exit_code == 0
    before = await asyncio.to_thread(lock.read_text)
    assert (await site.run(*words)).exit_code == 0
    assert (await site.run(*words, "--check")).exit_code == 0
    changed = await site.run(*words, "--pins", site.pin(OTHER))
    assert f"! {NAME}: {ONE.digest} -> {OTHER.digest}" in changed.stderr
    assert await asyncio.to_thread(lock.read_text) != before
    await asyncio.to_thread(lock.write_text, "nonsense\n")
    assert (await site.run(*words)).exit_code == 1


async def test_without_a_cache_a_list_is_a_matter_of_mirrors(site: Mirrored) -> None:
    none = ("--cache", str(site.directory / "none"))
    two = NAME.replace(":1", ":2")
    result = await site.run("pins", "lock", two, *none)
    assert (result.exit_code, "# authority" in result.stdout) == (0, True)
    assert "mirrors are asked" in result.stderr
    assert (await site.run("pins", "lock", *none)).exit_code == 2
    result = await site.run("pins", "lock", two, "--mirrors-only", *none)
    assert "mirrors are asked" not in result.stderr


async def test_misuse_is_status_2(site: Mirrored) -> None:
    empty = site.directory / "list"
    await asyncio.to_thread(empty.write_text, "# nothing\n")
    for words in (["-f", str(empty)], ["UPPER/x:1"], ["--mirrors-only"]):
        assert (await site.run("pins", "lock", *words)).exit_code == 2
