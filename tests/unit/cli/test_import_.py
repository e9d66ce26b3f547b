"""`entrepot import` on a cache directory that no server uses."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from fakes.archives import Files, ctr_export, docker_save, layout, tar
from fakes.images import image, index, sha256
from unit.cli.stopped import NAME, ONE, Stopped
from unit.store.keeping import REGISTRY

PARTS = [image("three", platform=each, layers=(4000,)) for each in ("linux/amd64", "linux/arm64")]
BOTH = index(PARTS)
APP = f"{REGISTRY}/app:3"


async def written(path: Path, files: Files) -> str:
    file = path / "images.tar"
    await asyncio.to_thread(file.write_bytes, tar(files))
    return str(file)


async def test_an_image_is_told_with_its_digest(stopped: Stopped, tmp_path: Path) -> None:
    file = await written(tmp_path, ctr_export(APP, BOTH))
    result = await stopped.run("import", file)
    assert (result.exit_code, result.stderr) == (0, "")
    first, digest, blobs = result.stdout.splitlines()
    assert (first, digest) == (f"imported {APP}", f"  {BOTH.digest}")
    assert blobs.startswith("  4 blobs, ")
    told = json.loads((await stopped.run("import", file, "--json")).stdout)
    [one] = told["images"]
    assert (one["blobs_there_before"], one["digest_kept"], one["problems"]) == (4, True, [])
    listed = json.loads((await stopped.run("ls", "app", "--json")).stdout)["images"]
    assert [each["complete"] for each in listed] == [True]


async def test_a_cache_that_is_not_there_yet_is_made(tmp_path: Path) -> None:
    fresh = Stopped(tmp_path)
    await asyncio.to_thread(fresh.configure)
    file = await written(tmp_path, ctr_export(APP, BOTH))
    assert (await fresh.run("import", file)).exit_code == 0
    assert APP in (await fresh.run("ls")).stdout


async def test_names_that_cannot_be_are_told_and_the_others_come(
    stopped: Stopped, tmp_path: Path
) -> None:
    files = docker_save([(ONE, [APP, "elsewhere.example/a:1"]), (PARTS[0], [])])
    result = await stopped.run("import", await written(tmp_path, files))
    assert result.exit_code == 1
    assert f"imported {APP}" in result.stdout
    assert "its digest is not the registry's" in result.stdout
    assert "elsewhere.example is not served here" in result.stderr
    assert "has no name in the file: give it one with --as" in result.stderr


async def test_a_name_can_be_given(stopped: Stopped, tmp_path: Path) -> None:
    file = await written(tmp_path, layout([(BOTH, {})]))
    assert f"imported {APP}" in (await stopped.run("import", file, "--as", APP)).stdout
    both = await written(tmp_path, docker_save([(ONE, []), (PARTS[0], [])]))
    result = await stopped.run("import", both, "--as", APP)
    assert "it has 2 images, and --as can name only one" in result.stderr
    assert (await stopped.run("import", both, file, "--as", APP)).exit_code == 2


async def test_a_platform_that_is_not_in_the_file_is_told(stopped: Stopped, tmp_path: Path) -> None:
    files = ctr_export(APP, BOTH)
    del files[f"blobs/sha256/{PARTS[1].digest.hex}"]
    result = await stopped.run("import", await written(tmp_path, files))
    assert "  not in the file: linux/arm64" in result.stdout.splitlines()


async def test_damaged_bytes_are_told_and_name_nothing(stopped: Stopped, tmp_path: Path) -> None:
    files = ctr_export(APP, BOTH)
    bad = sha256(PARTS[0].layers[0])
    files[f"blobs/sha256/{bad.hex}"] = bytes(4000)
    result = await stopped.run("import", await written(tmp_path, files))
    assert result.exit_code == 1
    assert f"{bad} is damaged: other bytes came" in result.stderr
    async with stopped.opened() as cache:
        assert await cache.catalog.ask("SELECT 1 FROM tags WHERE tag = '3'") == []


@pytest.mark.parametrize("data", [b"", b"hello", b"hello" * 1000])
async def test_what_is_no_archive_is_told_and_the_next_file_comes(
    stopped: Stopped, tmp_path: Path, data: bytes
) -> None:
    bad = tmp_path / "bad"
    await asyncio.to_thread(bad.write_bytes, data)
    good = await written(tmp_path, ctr_export(APP, BOTH))
    result = await stopped.run("import", str(bad), str(tmp_path / "none"), good)
    assert result.exit_code == 1
    assert f"Error: {bad}: it is" in result.stderr
    assert f"Error: {tmp_path / 'none'}: no such file or directory\n" in result.stderr
    assert f"imported {APP}" in result.stdout


async def test_a_cache_of_before_is_left_as_it_was(stopped: Stopped, tmp_path: Path) -> None:
    await stopped.run("import", await written(tmp_path, ctr_export(APP, BOTH)))
    told = json.loads((await stopped.run("ls", "--json")).stdout)["images"]
    assert [one["name"] for one in told] == [APP, f"{NAME}:1", f"{NAME}:2"]
