"""`entrepot scrub` on a directory."""

from __future__ import annotations

import json

from entrepot.oci.digest import Digest
from unit.cli.stopped import ONE, TWO, Stopped
from unit.store.keeping import rot

ALL = len({*ONE.blobs, *TWO.blobs}) + 2


async def test_first_there_was_no_round(stopped: Stopped) -> None:
    result = await stopped.run("scrub")
    assert (result.exit_code, result.output) == (0, "last complete round: never\n")


async def test_round_goes_to_its_end_and_is_remembered(stopped: Stopped) -> None:
    result = await stopped.run("scrub", "now")
    assert (result.exit_code, result.stderr) == (0, "")
    ended, hashed = result.stdout.splitlines()
    assert ended == "last complete round: just now"
    assert hashed.startswith(f"hashed since the start: {ALL} blobs, ")
    assert hashed.endswith("; 0 rotten")
    assert (await stopped.run("scrub", "status")).stdout == "last complete round: just now\n"


async def test_rotten_blob_is_counted_and_put_away(stopped: Stopped) -> None:
    async with stopped.opened() as cache:
        path = cache.path(Digest.of(TWO.layers[1]))
    rot(path)
    told = json.loads((await stopped.run("scrub", "now", "--json")).stdout)
    assert (told["running"], told["rotten"]) == (False, 1)
    assert told["ended_at"] is not None
    assert not path.exists()


async def test_anything_else_is_misuse(stopped: Stopped) -> None:
    result = await stopped.run("scrub", "later")
    assert result.exit_code == 2
    assert "later" in result.stderr
