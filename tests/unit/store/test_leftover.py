from __future__ import annotations

from pathlib import Path
from uuid import uuid4

from entrepot.store.journal import Journal, Kind, Record, Trusted
from entrepot.store.leftover import read_map, remove_partial, remove_unless_useful, survey

BOOT = uuid4()


def leftover(directory: Path, data: bytes, claimed: int) -> None:
    directory.mkdir()
    (directory / "data").write_bytes(data)
    journal = Journal.start(directory / "map", Trusted(size=10), BOOT)
    journal.append(Record(Kind.DATA, 0, claimed))
    journal.close()


def test_what_is_claimed_counts_as_far_as_the_file_goes(tmp_path: Path) -> None:
    directory = tmp_path / "one"
    leftover(directory, b"12345", claimed=8)
    trusted, mtime = survey(directory, BOOT)
    assert (trusted.size, trusted.written.total) == (10, 5)
    assert mtime == (directory / "data").stat().st_mtime


def test_without_data_nothing_is_there(tmp_path: Path) -> None:
    directory = tmp_path / "one"
    directory.mkdir()
    trusted, _ = survey(directory, BOOT)
    assert trusted == Trusted()
    assert read_map(directory / "map") == b""


def test_it_goes_with_its_directory_and_can_be_gone_already(tmp_path: Path) -> None:
    directory = tmp_path / "one"
    leftover(directory, b"12345", claimed=5)
    remove_partial(directory)
    remove_partial(directory)
    assert list(tmp_path.iterdir()) == []


def test_what_is_of_use_stays_when_it_cannot_be_gone_on_with(tmp_path: Path) -> None:
    directory = tmp_path / "one"
    leftover(directory, b"12345", claimed=5)
    remove_unless_useful(directory)
    assert directory.exists()
    (directory / "data").write_bytes(b"")
    (directory / "of somebody else").write_bytes(b"")
    remove_unless_useful(directory)
    assert [path.name for path in directory.iterdir()] == ["of somebody else"]
