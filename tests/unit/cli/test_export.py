"""`entrepot export` from a cache directory that no server uses."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path

from entrepot.archive.reading import Archive, read_archive
from fakes.images import image, index, sha256
from unit.cli.stopped import NAME, ONE, TWO, Stopped
from unit.store.keeping import rot

PARTS = [image("three", platform=each) for each in ("linux/amd64", "linux/arm64")]
BOTH = index(PARTS)


async def read(file: Path) -> Archive:
    return await asyncio.to_thread(read_archive, file)


async def test_images_come_out_as_they_are(stopped: Stopped, tmp_path: Path) -> None:
    file = tmp_path / "out.tar"
    result = await stopped.run("export", f"{NAME}:1", f"{NAME}:2", "-o", str(file))
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith(f"{file}: 2 images, ")
    one, two = (await read(file)).images
    assert (one.root.digest, two.root.digest) == (ONE.digest, TWO.digest)
    assert (one.names, two.names) == ((f"{NAME}:1",), (f"{NAME}:2",))
    told = json.loads((await stopped.run("export", f"{NAME}:1", "--json", "-o", str(file))).stdout)
    assert told["images"] == [{"name": f"{NAME}:1", "digest": str(ONE.digest)}]
    assert told["bytes"] == file.stat().st_size


async def test_what_is_not_complete_is_refused_with_what_is_missing(
    stopped: Stopped, tmp_path: Path
) -> None:
    lost = sha256(ONE.layers[1])
    async with stopped.opened() as cache:
        await cache.catalog.remove_blobs([lost])
        await cache.store.delete(lost)
    file = tmp_path / "out.tar"
    result = await stopped.run("export", f"{NAME}:1", f"{NAME}:9", f"{NAME}:2", "-o", str(file))
    assert result.exit_code == 1
    assert f"Error: {NAME}:1: linux/amd64 is not complete here" in result.stderr
    assert f"  lacks {lost} (4.9 KiB)" in result.stderr
    assert "`entrepot prefetch`, told the same, brings what is missing" in result.stderr
    assert f"Error: {NAME}:9 is not here\n" in result.stderr
    assert not file.exists()
    told = json.loads((await stopped.run("export", f"{NAME}:1", "--json", "-o", str(file))).stdout)
    assert told["problems"][0]["missing"] == [{"digest": str(lost), "size": 5000}]


async def test_platforms_are_chosen_or_are_those_that_are_here(
    stopped: Stopped, tmp_path: Path
) -> None:
    async with stopped.opened() as cache:
        await cache.put_image("3", image=replace(BOTH, images=(PARTS[0],)))
    file = tmp_path / "out.tar"
    result = await stopped.run("export", f"{NAME}:3", "-o", str(file))
    assert result.stderr == f"{NAME}:3: not here and so not in the file: linux/arm64\n"
    [one] = (await read(file)).images
    assert (one.root.digest, len(one.manifests)) == (BOTH.digest, 2)
    result = await stopped.run("export", f"{NAME}:3", "--platform", "arm64", "-o", str(file))
    assert "linux/arm64 is not complete here" in result.stderr
    result = await stopped.run("export", f"{NAME}:3", "--platform", "s390x", "-o", str(file))
    assert "it has no linux/s390x, but linux/amd64, linux/arm64" in result.stderr


async def test_a_rotten_blob_leaves_the_file_of_before(stopped: Stopped, tmp_path: Path) -> None:
    async with stopped.opened() as cache:
        rot(cache.path(sha256(ONE.layers[1])), 100)
    file = tmp_path / "out.tar"
    await asyncio.to_thread(file.write_bytes, b"before")
    result = await stopped.run("export", f"{NAME}:1", "-o", str(file))
    assert result.exit_code == 1
    assert "is not what it should be: `entrepot verify` it" in result.stderr
    assert file.read_bytes() == b"before"


async def test_nothing_to_export_is_misuse(stopped: Stopped, tmp_path: Path) -> None:
    result = await stopped.run("export", "-o", str(tmp_path / "out.tar"))
    assert result.exit_code == 2
    assert "--kubernetes" in result.stderr


async def test_what_is_not_as_pinned_is_not_carried_under_the_pinned_name(
    stopped: Stopped, tmp_path: Path
) -> None:
    """The pin came later than the image; a node that imports the file asks nobody any more."""
    pins = tmp_path / "pins.yaml"
    pins.write_text(f"schema: 1\npins:\n  {NAME}:1: {TWO.digest}\n  {NAME}:2: {TWO.digest}\n")
    stopped.configure(trust={"built_in_pins": False, "pins": [str(pins)]})
    file = tmp_path / "out.tar"
    result = await stopped.run("export", f"{NAME}:1", f"{NAME}:2", "-o", str(file))
    assert result.exit_code == 1
    told = f"Error: {NAME}:1 is known to be {TWO.digest}, and here it is {ONE.digest}"
    assert told in result.stderr
    assert f"{NAME}:2" not in result.stderr
    assert not file.exists()
    by_digest = f"{NAME}@{ONE.digest}"
    assert (await stopped.run("export", by_digest, "-o", str(file))).exit_code == 0
    [one] = (await read(file)).images
    assert one.names == (by_digest,)


async def test_a_pin_that_only_warns_keeps_nothing_from_being_carried(
    stopped: Stopped, tmp_path: Path
) -> None:
    pins = tmp_path / "pins.yaml"
    pins.write_text(f"schema: 1\npins:\n  {NAME}:1: {TWO.digest}\n")
    policy = "pinned warn, first warn"
    stopped.configure(trust={"built_in_pins": False, "pins": [str(pins)], "policy": policy})
    file = tmp_path / "out.tar"
    result = await stopped.run("export", f"{NAME}:1", "-o", str(file))
    assert result.exit_code == 0, result.stderr
    [one] = (await read(file)).images
    assert one.names == (f"{NAME}:1",)
