"""Whom to ask first."""

from __future__ import annotations

from pathlib import Path

from entrepot.errors import MirrorSilent
from entrepot.mirror.registry import AskingOrder, asking_order
from entrepot.oci.reference import RepositoryName
from mirroring import mirroring

PAUSE = RepositoryName("pause")
URLS = tuple(f"http://127.0.0.1:{port}" for port in (1, 2, 3))


def names(order: AskingOrder) -> tuple[list[str], list[str]]:
    return [m.name for m in order.usable], [m.name for m in order.last_resort]


async def test_order_is_configuration_then_preference_then_trouble(tmp_path: Path) -> None:
    async with mirroring(tmp_path, *URLS) as layer:
        mirrors = layer.registry.mirrors
        assert names(asking_order(mirrors, PAUSE, 0.0)) == (["mirror0", "mirror1", "mirror2"], [])
        preferred = asking_order(mirrors, PAUSE, 0.0, prefer="mirror2")
        assert names(preferred)[0] == ["mirror2", "mirror0", "mirror1"]
        later = asking_order(mirrors, PAUSE, 0.0, prefer="mirror0", later={"mirror0"})
        assert names(later)[0] == ["mirror1", "mirror2", "mirror0"]
        doubted = asking_order(mirrors, PAUSE, 0.0, doubted={"mirror0"}, without={"mirror1"})
        assert names(doubted) == (["mirror2"], ["mirror0"])


async def test_an_open_breaker_makes_a_last_resort(tmp_path: Path) -> None:
    async with mirroring(tmp_path, *URLS) as layer:
        mirrors = layer.registry.mirrors
        mirrors[0].health.record_failure(MirrorSilent("nothing"), 0.0)
        assert names(asking_order(mirrors, PAUSE, 1.0)) == (["mirror1", "mirror2"], ["mirror0"])


async def test_a_mirror_without_a_name_for_it_is_not_asked(tmp_path: Path) -> None:
    table = {"url": URLS[0], "table": {"coredns": "coredns"}}
    async with mirroring(tmp_path, table, URLS[1]) as layer:
        order = asking_order(layer.registry.mirrors, PAUSE, 0.0)
        assert names(order) == (["mirror1"], [])
        assert order
        assert not asking_order(layer.registry.mirrors[:1], PAUSE, 0.0)
