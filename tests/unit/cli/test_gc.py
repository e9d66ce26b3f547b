"""`entrepot gc` on a directory."""

from __future__ import annotations

import json

from entrepot.oci.digest import Digest
from unit.cli.stopped import ONE, TWO, Stopped

LOOSE = b"listed by nothing" * 100


async def test_blob_that_no_image_needs_goes(stopped: Stopped) -> None:
    async with stopped.opened() as cache:
        digest = await cache.put_blob(LOOSE)
    result = await stopped.run("gc")
    assert (result.exit_code, result.stderr) == (0, "")
    freed, orphans, held = result.stdout.splitlines()
    assert freed == "freed 1.7 KiB"
    assert orphans == "  1 x blob that no image needs"
    assert held.startswith(f"{len({*ONE.blobs, *TWO.blobs}) + 2} blobs, ")
    async with stopped.opened() as cache:
        assert not cache.path(digest).exists()
        assert cache.path(Digest.of(ONE.blobs[0])).exists()


async def test_blob_whose_file_is_gone_is_counted(stopped: Stopped) -> None:
    async with stopped.opened() as cache:
        cache.path(Digest.of(TWO.layers[1])).unlink()
    result = await stopped.run("gc")
    assert result.exit_code == 0
    assert "  1 x blob whose file was gone" in result.stdout.splitlines()


async def test_json_has_the_numbers_and_the_second_time_nothing_is_left(stopped: Stopped) -> None:
    async with stopped.opened() as cache:
        await cache.put_blob(LOOSE)
    first = json.loads((await stopped.run("gc", "--json")).stdout)
    assert (first["orphans"], first["freed_bytes"], first["failed"]) == (1, len(LOOSE), 0)
    second = json.loads((await stopped.run("gc", "--json")).stdout)
    assert (second["orphans"], second["freed_bytes"]) == (0, 0)
    assert second["bytes"] == first["bytes"]
    plain = await stopped.run("gc")
    assert len(plain.stdout.splitlines()) == 2
