"""A panel of fake mirrors, and manners with a clock that a test moves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from entrepot.config import Settings
from entrepot.oci.reference import RepositoryName, Tag
from entrepot.survey.manners import Manners
from entrepot.survey.panel import Panel, panels
from entrepot.survey.wanted import Wanted
from entrepot.trust.pinfile import read_pin_file
from entrepot.trust.pins import Pin, Pins, combine
from fakes.images import Image, Index
from fakes.registry import FakeRegistry

REGISTRY = "registry.example"
PAUSE = Wanted(REGISTRY, RepositoryName("pause"), Tag("3.1"))


@dataclass(slots=True)
class Waiting:
    """Takes note of what was waited for, and moves its clock instead."""

    now: float = 0.0
    waits: list[float] = field(default_factory=list)
    told: list[tuple[str, float]] = field(default_factory=list)

    def manners(self) -> Manners:
        return Manners(lambda: self.now, self.sleep, lambda name, s: self.told.append((name, s)))

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds


def settings_of(*mirrors: object, **more: object) -> Settings:
    """Settings with one registry, REGISTRY, and these mirrors, as a file writes them."""
    registries = {REGISTRY: {"mirrors": list(mirrors), "aliases": ["short.example"]}}
    return Settings.model_validate({"registries": registries, **more})


@asynccontextmanager
async def panel_of(*mirrors: object, **more: object) -> AsyncIterator[Panel]:
    """The mirrors of REGISTRY, opened; `more` are settings beside."""
    settings = await asyncio.to_thread(lambda: settings_of(*mirrors, **more))
    manners = Manners()
    async with panels(settings, [REGISTRY], manners) as opened:
        yield opened[REGISTRY]


def named(registry: FakeRegistry, name: str, **more: object) -> dict[str, object]:
    return {"url": registry.url, "name": name, **more}


def pinned_to(pushed: Image | Index, *, tag: str = "3.1", repository: str = "pause") -> Pins:
    lines = ["schema: 1\n", "source: s\n", "date: d\n", "pins:\n"]
    lines += [f"  {REGISTRY}/{repository}:{tag}: {pushed.digest}\n"]
    return combine([read_pin_file("pins.yaml", lines)])


def pin_of(pushed: Image | Index) -> Pin:
    pin = pinned_to(pushed).pin(REGISTRY, "pause", "3.1")
    assert pin is not None
    return pin
