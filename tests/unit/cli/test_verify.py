"""`entrepot verify` on a directory."""

from __future__ import annotations

import json

import click
import pytest

from entrepot.cli.verify import _shown
from entrepot.oci.digest import Digest
from unit.cli.stopped import NAME, ONE, TWO, Stopped
from unit.store.keeping import rot

ALL = len({*ONE.blobs, *TWO.blobs}) + 2
OWN = Digest.of(ONE.layers[1])


async def test_sound_cache_is_counted(stopped: Stopped) -> None:
    result = await stopped.run("verify")
    assert (result.exit_code, result.output) == (0, f"{ALL} blobs sound, 0 rotten\n")


async def test_flipped_bit_is_found_named_and_put_away(stopped: Stopped) -> None:
    async with stopped.opened() as cache:
        path = cache.path(OWN)
    rot(path, 4000)
    other = await stopped.run("verify", f"{NAME}:2")
    assert (other.exit_code, other.stdout) == (0, f"{len(TWO.blobs) + 1} blobs sound, 0 rotten\n")
    result = await stopped.run("verify")
    assert result.exit_code == 1
    rotten, of, counted = result.stdout.splitlines()
    assert rotten.startswith(f"{OWN} was rotten: moved to quarantine")
    assert of == f"  of {NAME}:1"
    assert counted == f"{ALL - 1} blobs sound, 1 rotten"
    assert not path.exists()


async def test_json_is_a_line_for_each_blob(stopped: Stopped) -> None:
    async with stopped.opened() as cache:
        rot(cache.path(OWN))
    result = await stopped.run("verify", f"{NAME}:1", "--json")
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    verdicts = {line["digest"]: line["verdict"] for line in lines if "verdict" in line}
    assert result.exit_code == 1
    assert verdicts.pop(str(OWN)) == "rotten"
    assert list(verdicts.values()) == ["sound"] * len(ONE.blobs)
    assert "done" in lines[-1]


async def test_image_that_is_not_here_is_status_1(stopped: Stopped) -> None:
    result = await stopped.run("verify", f"{NAME}:none")
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"{NAME}:none" in result.stderr


BLOB = {"digest": "d", "verdict": "sound", "size": 1}


@pytest.mark.parametrize(
    ("last", "message"), [([], "broken off"), ([{"error": "disk on fire"}], "disk on fire")]
)
def test_answer_without_an_end_is_no_success(last: list[dict[str, object]], message: str) -> None:
    shown = _shown(iter([{"bytes": 2}, BLOB, *last]), as_json=False)
    assert next(shown) == BLOB
    with pytest.raises(click.ClickException, match=message):
        next(shown)
