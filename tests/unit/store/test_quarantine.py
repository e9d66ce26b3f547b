"""Moved out of the way, kept for a while, within bounds."""

from __future__ import annotations

from pathlib import Path

import pytest

from entrepot.store.layout import Layout
from entrepot.store.quarantine import Quarantine

NOW = 1_800_000_000.0


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path)


def put(layout: Layout, name: str, data: bytes = b"rotten") -> Path:
    path = layout.root / name
    path.write_bytes(data)
    return path


def names(layout: Layout) -> list[str]:
    return [each.path.name.partition(".")[0] for each in Quarantine(layout).kept()]


def test_a_file_is_moved_and_its_readers_read_on(layout: Layout) -> None:
    path = put(layout, "one")
    with path.open("rb") as file:
        taken = Quarantine(layout).take(path, NOW, "sha256")
        assert file.read() == b"rotten"
    assert taken == layout.quarantine / "sha256" / f"one.{int(NOW * 1000)}"
    assert taken.read_bytes() == b"rotten"
    assert not path.exists()
    [kept] = Quarantine(layout).kept()
    assert (kept.path, kept.size, kept.since) == (taken, 6, NOW)


def test_what_is_gone_is_not_taken(layout: Layout) -> None:
    assert Quarantine(layout).take(layout.root / "never", NOW) is None


def test_a_directory_and_a_link_are_taken_as_they_are(layout: Layout) -> None:
    outside = put(layout, "outside")
    (layout.root / "link").symlink_to(outside)
    (layout.root / "tree" / "deep").mkdir(parents=True)
    quarantine = Quarantine(layout, most_files=1)
    quarantine.take(layout.root / "tree", NOW)
    quarantine.take(layout.root / "link", NOW + 1)
    assert names(layout) == ["link"]
    assert outside.exists()


@pytest.mark.parametrize(
    ("bounds", "left"),
    [
        ({"most_files": 2}, ["two", "three"]),
        ({"most_bytes": 12}, ["two", "three"]),
        ({"most_bytes": 0}, ["three"]),
        ({"longest_s": 150.0}, ["two", "three"]),
        ({"longest_s": 0.0}, ["three"]),
        ({}, ["one", "two", "three"]),
    ],
)
def test_the_oldest_go_and_the_newest_stays(
    layout: Layout, bounds: dict[str, float], left: list[str]
) -> None:
    quarantine = Quarantine(layout, **bounds)  # type: ignore[arg-type]
    for number, name in enumerate(["one", "two", "three"]):
        quarantine.take(put(layout, name), NOW + 100 * number)
    assert names(layout) == left


def test_a_file_that_somebody_put_there_is_as_old_as_it_is(layout: Layout) -> None:
    (layout.quarantine / "odd").mkdir(parents=True)
    path = layout.quarantine / "odd" / "by-hand"
    path.write_bytes(b"")
    [kept] = Quarantine(layout).kept()
    assert kept.since == path.stat().st_mtime
