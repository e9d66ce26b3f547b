"""`entrepot why` on a directory: what is written for a person."""

from __future__ import annotations

import json

from entrepot.cli.why import story
from unit.cli.stopped import NAME, ONE, Stopped

PIN = {"digests": ["sha256:b"], "where": "pins.yaml:3", "source": "s", "date": ""}
TOLD = {
    "name": NAME,
    "digest": "sha256:a",
    "level": "first",
    "vouched_by": "nobody",
    "pin": PIN,
    "policy": "first",
    "said_by": "",
    "checked_at": None,
    "manifest_from": "",
    "given": [{"mirrors": "", "blobs": 1, "bytes": 5}],
    "other_names": ["again"],
    "demoted": [{"mirror": "m", "until": None}],
    "records": [{"text": "line of the ledger"}],
}


async def test_what_a_cache_knows(stopped: Stopped) -> None:
    result = await stopped.run("why", f"{NAME}:1")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0] == f"{NAME}:1"
    assert lines[1].split() == ["is", str(ONE.digest)]
    assert "  level    first: the first answer, vouched for by nobody" in lines
    assert "  manifest from first" in lines
    assert lines[-1] == "The ledger has nothing about it."
    told = json.loads((await stopped.run("why", f"{NAME}:1", "--json")).stdout)
    assert told["digest"] == str(ONE.digest)
    assert "mirrors" not in told


async def test_what_the_mirrors_have_is_asked_on_demand(stopped: Stopped) -> None:
    result = await stopped.run("why", f"{NAME}:1", "--mirrors")
    assert "What the mirrors have now:" in result.stdout
    assert "unreachable" in result.stdout
    by_digest = await stopped.run("why", f"{NAME}@{ONE.digest}", "--mirrors")
    assert by_digest.exit_code == 2


async def test_nothing_known_is_status_1(stopped: Stopped) -> None:
    result = await stopped.run("why", f"{NAME}:none")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "nothing is known" in result.stderr


def test_every_fact_has_its_line() -> None:
    lines = list(story(TOLD))
    for line in (
        "  pin      sha256:b",
        "           in pins.yaml:3 (s)",
        "           which is not what is here: it is not served",
        "  said by  nobody: the pin says it",
        "  manifest from somebody not known any more",
        "  bytes    1 blob, 5 B, from somebody not known any more",
        "  also     again",
        "  demoted  m: asked after the others",
        "line of the ledger",
    ):
        assert line in lines


def test_what_is_not_here_is_told() -> None:
    bare = {"digest": None, "level": None, "said_by": None, "manifest_from": None}
    lines = list(story(TOLD | bare | {"given": [], "other_names": [], "demoted": []}))
    assert lines[1] == "  is       not here"
    assert not [line for line in lines if "manifest" in line or "said by" in line]
