"""Mirrors are opened together, with what hosts have in common."""

from __future__ import annotations

import pytest

from entrepot.errors import MirrorOffline
from entrepot.survey.panel import by_host
from unit.survey.surveyed import PAUSE, panel_of


async def test_members_are_in_the_order_of_the_settings() -> None:
    mirrors = ("https://a.example", {"url": "https://b.example", "name": "second"})
    async with panel_of(*mirrors) as panel:
        assert [(one.place, one.name) for one in panel.members] == [(1, "a.example"), (2, "second")]


async def test_mirrors_on_one_host_stand_together() -> None:
    mirrors = ("https://a.example", "https://b.example", {"url": "https://a.example", "name": "c"})
    async with panel_of(*mirrors) as panel:
        names = [[one.name for one in members] for members in by_host(panel.members)]
        assert names == [["a.example", "c"], ["b.example"]]


async def test_offline_settings_let_nothing_out() -> None:
    async with panel_of("https://a.example", offline=True) as panel:
        with pytest.raises(MirrorOffline):
            await panel.members[0].client.get_manifest(PAUSE.repository, PAUSE.tag)
