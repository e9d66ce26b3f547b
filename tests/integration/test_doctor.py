"""`entrepot doctor` as a process, before mirrors of every kind there is."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from entrepot.config import load_settings
from fakes.copies import COPYINGS
from fakes.images import Index, image, index
from fakes.registry import FakeRegistry, Fault

pytestmark = pytest.mark.integration

PLATFORMS = ("linux/amd64", "linux/arm64")
PAUSE = index([image("pause", platform=name, layers=(600_000, 3_000)) for name in PLATFORMS])
CLASSES = {
    "verbatim": "verbatim",
    "single-arch": "single architecture",
    "re-serialised": "re-serialised",
    "re-compressed": "re-compressed",
    "rebuilt": "other",
}
REGISTRY = "registry.example.com"


@dataclass(slots=True)
class Clinic:
    """Mirrors, a configuration that lists them, and a file of pins."""

    directory: Path
    mirrors: dict[str, FakeRegistry] = field(default_factory=dict)

    def configure(self, names: Mapping[str, dict[str, object]]) -> None:
        mirrors = [
            {"url": self.mirrors[name].url, "name": name, **more} for name, more in names.items()
        ]
        registries = {REGISTRY: {"aliases": ["example.lan"], "mirrors": mirrors}}
        document = {"cache": {"path": str(self.directory / "cache")}, "registries": registries}
        self.file.write_text(json.dumps(document))

    def pin(self, image: str, pushed: Index) -> None:
        text = f"schema: 1\nsource: a test\ndate: 2026-11-28\npins:\n  {image}: {pushed.digest}\n"
        (self.directory / "pins.yaml").write_text(text)

    @property
    def file(self) -> Path:
        return self.directory / "entrepot.yaml"

    async def run(self, *words: str, status: int = 0) -> str:
        pins = self.directory / "pins.yaml"
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "entrepot", "doctor", *words, "--config", str(self.file)),
            *(("--pins", str(pins)) if pins.exists() else ()),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        assert process.returncode == status, (out.decode(), err.decode())
        return out.decode()

    async def examine(self, *words: str, status: int = 0) -> Any:
        [found] = json.loads(await self.run(*words, "--json", status=status))["examinations"]
        return found


@pytest.fixture
async def clinic(tmp_path: Path) -> AsyncIterator[Clinic]:
    """One mirror for each class; all were given the same image."""
    made = Clinic(tmp_path)
    async with AsyncExitStack() as stack:
        for copying in COPYINGS:
            mirror = await stack.enter_async_context(FakeRegistry(copying=copying))
            mirror.put_image("pause", "3.1", PAUSE)
            made.mirrors[copying] = mirror
        yield made


async def test_each_class_is_told_by_the_pin(clinic: Clinic) -> None:
    clinic.configure({name: {} for name in reversed(COPYINGS)})
    clinic.pin(f"{REGISTRY}/pause:3.1", PAUSE)
    found = await clinic.examine("example.lan/pause:3.1")
    assert {one["mirror"]: one["fidelity"] for one in found["mirrors"]} == CLASSES
    assert (found["digest"], found["level"]) == (str(PAUSE.digest), "pin")
    assert [one["mirror"] for one in found["mirrors"] if one["pinned"]] == ["verbatim"]
    usable = {one["mirror"] for one in found["mirrors"] if one["usable"]}
    assert usable == {"verbatim", "single-arch", "re-serialised"}
    for one in found["mirrors"]:
        assert one["state"] == "answers"
        assert one["transfer"]["ranges"] == "honest", one
        assert one["transfer"]["sound"] is True
        assert one["route"] == "direct"
    fast = {one["mirror"] for one in found["mirrors"] if one["transfer"]["bytes_per_second"]}
    assert fast == set(COPYINGS) - {"rebuilt"}  # whose layer is too small to tell
    told = [one["mirror"]["name"] for one in found["suggestion"]]
    assert told == ["verbatim", "re-serialised", "single-arch", "re-compressed", "rebuilt"]


async def test_each_class_is_told_by_the_owner_alone(clinic: Clinic) -> None:
    clinic.configure({name: {"authority": name == "verbatim"} for name in COPYINGS})
    found = await clinic.examine(f"{REGISTRY}/pause:3.1")
    assert {one["mirror"]: one["fidelity"] for one in found["mirrors"]} == CLASSES
    assert (found["level"], found["vouched_by"]) == ("authority", "verbatim")


async def test_a_pin_and_a_re_serialised_copy_are_enough_to_know_the_owners_bytes(
    clinic: Clinic,
) -> None:
    clinic.configure({name: {} for name in COPYINGS if name != "verbatim"})
    clinic.pin(f"{REGISTRY}/pause:3.1", PAUSE)
    found = await clinic.examine(f"{REGISTRY}/pause:3.1")
    told = {one["mirror"]: one["fidelity"] for one in found["mirrors"]}
    assert told == {name: CLASSES[name] for name in told}


async def test_few_requests_and_none_twice(clinic: Clinic) -> None:
    clinic.configure({name: {} for name in COPYINGS})
    clinic.pin(f"{REGISTRY}/pause:3.1", PAUSE)
    await clinic.examine(f"{REGISTRY}/pause:3.1")
    for mirror in clinic.mirrors.values():
        asked = [(one.method, one.target, one.headers.get("Range")) for one in mirror.requests]
        assert len(asked) == len(set(asked)) <= 5, asked


async def test_the_table_and_settings_to_paste(clinic: Clinic, tmp_path: Path) -> None:
    more: dict[str, object] = {"headers": {"X-Team": "s3cret"}, "limits": {"bytes": "1GiB/2h"}}
    clinic.configure(dict.fromkeys(reversed(COPYINGS), more))
    clinic.pin(f"{REGISTRY}/pause:3.1", PAUSE)
    text = await clinic.run(f"{REGISTRY}/pause:3.1")
    rows = {line.split()[1]: line for line in text.splitlines() if line[:2].rstrip(".").isdigit()}
    assert {name for name, row in rows.items() if CLASSES[name] in row} == set(COPYINGS)
    assert "s3cret" not in text
    assert "# Put back what stands here as …." in text
    pasted = tmp_path / "pasted.yaml"
    pasted.write_text("registries:" + text.partition("registries:")[2].replace("…", "back"))
    settings = (await asyncio.to_thread(load_settings, pasted)).registries[REGISTRY]
    before = (await asyncio.to_thread(load_settings, clinic.file)).registries[REGISTRY]
    assert settings.aliases == ("example.lan",)
    assert [one.name for one in settings.mirrors][0::4] == ["verbatim", "rebuilt"]
    assert {one.limits for one in settings.mirrors} == {before.mirrors[0].limits}


async def test_what_is_no_registry_is_told_apart(clinic: Clinic) -> None:
    mirrors = clinic.mirrors
    clinic.configure({name: {} for name in COPYINGS} | {"verbatim": {"authority": True}})
    await mirrors["single-arch"].stop()
    mirrors["re-serialised"].fault(Fault("html", times=None))
    refusal = Fault("status", status=429, headers={"Retry-After": "600"}, times=None)
    mirrors["re-compressed"].fault(refusal)
    del mirrors["rebuilt"].content.repositories["pause"]
    found = await clinic.examine("example.lan/pause:3.1")
    assert {one["mirror"]: one["state"] for one in found["mirrors"]} == {
        "verbatim": "answers",
        "single-arch": "unreachable",
        "re-serialised": "block page",
        "re-compressed": "throttled",
        "rebuilt": "no such tag",
    }
    for name in ("re-serialised", "re-compressed", "rebuilt"):
        assert len(mirrors[name].requests) == 1


async def test_nobody_usable_is_status_1(clinic: Clinic) -> None:
    clinic.configure({"rebuilt": {}, "re-compressed": {}})
    clinic.pin(f"{REGISTRY}/pause:3.1", PAUSE)
    await clinic.run(f"{REGISTRY}/pause:3.1", status=1)
    await clinic.run(REGISTRY, status=2)
    await clinic.run("elsewhere.example.com/pause:3.1", status=2)
