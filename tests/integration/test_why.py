"""`entrepot why` and `ledger` as processes, after pulls through mirrors of every kind there is."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from fakes.copies import COPYINGS
from fakes.images import image, index
from fakes.registry import FakeRegistry
from programs.entrepot import Entrepot
from wire.client import ask

pytestmark = pytest.mark.integration

REGISTRY = "registry.example.com"
PAUSE = index([image("pause", platform=f"linux/{name}") for name in ("amd64", "arm64")])
NAME = f"{REGISTRY}/pause:3.1"
LATEST = f"{REGISTRY}/pause:latest"


@dataclass(slots=True)
class Site:
    """A server before one mirror of each kind, asked in the reverse order of their fidelity."""

    directory: Path
    mirrors: dict[str, FakeRegistry] = field(default_factory=dict)
    server: Entrepot | None = None

    async def pull(self, tag: str, digest: str | None = None, status: int = 200) -> None:
        assert self.server is not None
        address = self.server.url.removeprefix("http://")
        path = f"/v2/pause/manifests/{digest or tag}?ns={REGISTRY}"
        answer = await ask(address, "GET", path)
        assert answer.status == status, answer.body

    async def run(self, *words: str, status: int = 0) -> str:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "entrepot", *words),
            *("--config", str(self.directory / "entrepot.yaml")),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        assert process.returncode == status, (words, out.decode(), err.decode())
        return out.decode()

    async def json(self, *words: str, status: int = 0) -> Any:
        return json.loads(await self.run(*words, "--json", status=status))


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    made = Site(tmp_path)
    pins = tmp_path / "pins.yaml"
    pins.write_text(
        f"schema: 1\nsource: a test\ndate: 2026-11-28\npins:\n  {NAME}: {PAUSE.digest}\n"
    )
    async with AsyncExitStack() as stack:
        for copying in reversed(COPYINGS):
            mirror = await stack.enter_async_context(FakeRegistry(copying=copying))
            mirror.put_image("pause", "3.1", PAUSE)
            mirror.put_image("pause", "latest", PAUSE)
            made.mirrors[copying] = mirror
        mirrors = [{"url": one.url, "name": name} for name, one in made.mirrors.items()]
        config = {
            "registries": {REGISTRY: {"mirrors": mirrors, "aliases": ["example.lan"]}},
            "trust": {"pins": [str(pins)]},
        }
        made.server = await stack.enter_async_context(Entrepot(config, tmp_path))
        yield made


@pytest.mark.parametrize("running", [True, False], ids=["running", "stopped"])
async def test_why_tells_the_pin_the_mirror_and_whom_it_refused(site: Site, running: bool) -> None:
    await site.pull("3.1")
    if not running:
        assert site.server is not None
        await site.server.stop()
    told = await site.json("why", "example.lan/pause:3.1")
    assert (told["name"], told["digest"], told["level"]) == (NAME, str(PAUSE.digest), "pin")
    assert told["pin"]["where"].endswith("pins.yaml:5")
    assert told["pin"]["source"] == "a test"
    assert told["manifest_from"] in {"verbatim", "re-serialised"}
    text = await site.run("why", NAME)
    assert "level    pin: known in advance, from a file of pins" in text
    assert f"manifest from {told['manifest_from']}" in text


async def test_every_class_of_copy_has_its_line_in_the_ledger(site: Site) -> None:
    """All mirrors but the last lie about the pinned tag; the only one left re-serialises."""
    for name in ("verbatim",):
        await site.mirrors[name].stop()
    await site.pull("3.1")
    told = await site.json("why", NAME)
    said = {one["mirror"]: (one["verdict"], one["note"]) for one in told["records"]}
    assert said["re-serialised"][0] == "repaired"
    assert "3 spaces" in said["re-serialised"][1]
    assert told["manifest_from"] == "re-serialised"


CLASSES = {
    "verbatim": "verbatim",
    "single-arch": "single architecture",
    "re-serialised": "re-serialised",
    "re-compressed": "re-compressed",
    "rebuilt": "other",
}


async def test_why_tells_the_class_of_what_each_mirror_has(site: Site) -> None:
    await site.pull("3.1")
    told = await site.json("why", NAME, "--mirrors")
    assert {one["mirror"]: one["fidelity"] for one in told["mirrors"]} == CLASSES
    text = (await site.run("why", NAME, "--mirrors")).partition("What the mirrors have now:")[2]
    rows = {line.split()[1]: line for line in text.splitlines() if line[1:2] == "."}
    assert {name for name, row in rows.items() if f" {CLASSES[name]} " in row} == set(CLASSES)


async def test_who_lied_is_refused_demoted_and_told(site: Site) -> None:
    for name in ("verbatim", "re-serialised", "single-arch"):
        await site.mirrors[name].stop()
    await site.pull("3.1", status=502)
    told = await site.json("why", NAME)
    assert told["digest"] is None
    assert told["refused"] == ["re-compressed", "rebuilt"]
    assert [one["mirror"] for one in told["demoted"]] == ["re-compressed", "rebuilt"]
    text = await site.run("why", NAME)
    assert "is       not here" in text
    assert "rebuilt: asked after the others until" in text
    assert "refused; nothing was served" in text
    ledger = await site.json("ledger", "--mirror", "rebuilt")
    assert {one["mirror"] for one in ledger["records"]} == {"rebuilt"}
    [standing] = ledger["mirrors"]
    assert standing["demoted"] is True
    assert standing["refused"] >= 1
    assert "demoted" in await site.run("ledger", "--since", "1h")


@pytest.mark.parametrize("running", [True, False], ids=["running", "stopped"])
async def test_what_came_from_a_mirror_before_it_turned_bad(site: Site, running: bool) -> None:
    await site.pull("latest")
    await site.pull("3.1")
    told = await site.json("why", LATEST)
    assert (told["level"], told["said_by"]) == ("first", "rebuilt")
    if not running:
        assert site.server is not None
        await site.server.stop()
    [suspect] = (await site.json("ledger", "--came-from", "rebuilt", status=1))["suspects"]
    assert (suspect["image"], suspect["held"]) == (LATEST, True)
    assert LATEST in await site.run("ledger", "--came-from", "rebuilt", status=1)
    before = await site.json("ledger", "--came-from", "rebuilt", "--before", "1h")
    assert before["suspects"] == []
    assert (await site.json("ledger", "--came-from", "verbatim"))["suspects"] == []
    await site.run("rm", LATEST)
    [gone] = (await site.json("ledger", "--came-from", "rebuilt"))["suspects"]
    assert gone["held"] is False


async def test_what_nobody_asked_for_is_not_known(site: Site) -> None:
    await site.run("why", f"{REGISTRY}/pause:9", status=1)
    await site.run("why", f"{REGISTRY}/pause", status=2)
    await site.run("ledger", "--since", "nonsense", status=2)
    await site.run("ledger", "--before", "1h", status=2)
    await site.run("ledger", "--came-from", "a", "--mirror", "b", status=2)
    told = await site.json("why", NAME)
    assert (told["digest"], told["records"]) == (None, [])
    assert told["pin"]["digests"] == [str(PAUSE.digest)]
    assert "nothing about that" in await site.run("ledger")
