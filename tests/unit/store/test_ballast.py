from __future__ import annotations

from pathlib import Path

from entrepot.store.ballast import LEAST_BYTES, MOST_BYTES, SHARE, Ballast
from faults.smalldisk import MIB, fill_up, free_bytes, small_disk


def test_it_takes_up_disk_and_gives_it_back(tmp_path: Path) -> None:
    ballast = Ballast(tmp_path / "ballast")
    assert not ballast.give_up()
    assert ballast.take() == ballast.take() == MOST_BYTES
    assert (tmp_path / "ballast").stat().st_blocks * 512 >= MOST_BYTES
    assert ballast.give_up()
    assert not (tmp_path / "ballast").exists()


def test_where_it_cannot_be_nothing_happens(tmp_path: Path) -> None:
    ballast = Ballast(tmp_path / "missing" / "ballast")
    assert ballast.take() == 0
    assert not ballast.give_up()


def test_on_a_full_disk_it_is_as_large_as_there_is_room_for(tmp_path: Path) -> None:
    with small_disk(tmp_path, 8 * MIB) as disk:
        ballast = Ballast(disk / "ballast")
        whole = 8 * MIB // SHARE
        other = fill_up(disk, leave=whole - LEAST_BYTES // 2)
        assert ballast.take() == whole // 2
        assert ballast.take() == whole // 2
        assert ballast.give_up()
        assert free_bytes(disk) >= whole // 2
        assert fill_up(disk) == other
        assert ballast.take() == 0
        assert not ballast.give_up()
        other.unlink()
        assert ballast.take() == whole
