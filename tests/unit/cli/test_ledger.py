"""`entrepot ledger` on a directory."""

from __future__ import annotations

import json
import time

import click
import pytest

from entrepot.cli.ledger import _moment
from entrepot.cli.ledger import ledger as command
from entrepot.mirror.ledger import Ledger
from entrepot.trust.ledger import Verdict
from unit.cli.stopped import ONE, Stopped
from unit.mirror.test_origins import BAD, said


def moment(text: str | None) -> float | None:
    return _moment(click.Context(command), click.Argument(["x"]), text)


@pytest.fixture
async def spoken(stopped: Stopped) -> Stopped:
    """A ledger in which first brought pause:1, and was refused later."""
    async with stopped.opened() as cache:
        book = Ledger(cache.catalog, time.time)
        now, digests = time.time(), {"received": ONE.digest, "digest": ONE.digest}
        book.note([said("first", Verdict.ACCEPTED, now - 7200.0, **digests)])
        book.note([said("first", Verdict.REFUSED, now, received=BAD)])
        await book.flush()
    return stopped


async def test_lines_and_how_mirrors_stand(spoken: Stopped) -> None:
    result = await spoken.run("ledger")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert f"first said {BAD}: refused" in lines[1]
    assert lines[-1].split()[1:7] == ["first", "1", "0", "0", "0", "1"]
    assert lines[-1].endswith("demoted")
    assert "older ones" in (await spoken.run("ledger", "--limit", "1")).stderr


async def test_filters_and_json(spoken: Stopped) -> None:
    told = json.loads((await spoken.run("ledger", "--since", "1h", "--json")).stdout)
    assert [one["verdict"] for one in told["records"]] == ["refused"]
    told = json.loads((await spoken.run("ledger", "--mirror", "other", "--json")).stdout)
    assert (told["records"], told["mirrors"]) == ([], [])
    assert "nothing about that" in (await spoken.run("ledger", "--mirror", "other")).stdout


async def test_what_came_from_it(spoken: Stopped) -> None:
    result = await spoken.run("ledger", "--came-from", "first")
    assert result.exit_code == 1
    assert result.stdout.splitlines()[1].endswith("yes")
    told = json.loads((await spoken.run("ledger", "--came-from", "first", "--json")).stdout)
    assert [one["held"] for one in told["suspects"]] == [True]
    result = await spoken.run("ledger", "--came-from", "first", "--before", "1970-01-01")
    assert (result.exit_code, "Nothing came from first" in result.stdout) == (0, True)


@pytest.mark.parametrize(
    "words",
    [
        ["--before", "1h"],
        ["--came-from", "a", "--mirror", "b"],
        ["--since", "yesterday"],
        ["--limit", "0"],
    ],
)
async def test_misuse_is_status_2(stopped: Stopped, words: list[str]) -> None:
    assert (await stopped.run("ledger", *words)).exit_code == 2


def test_moments() -> None:
    assert moment(None) is None
    assert moment("1970-01-02") == 86400.0
    assert moment("1970-01-01T01:00+01:00") == 0.0
    ago = moment("2h")
    assert ago is not None
    assert abs(time.time() - 7200.0 - ago) < 60
