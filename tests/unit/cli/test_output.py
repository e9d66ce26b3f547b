"""Files are written whole or not at all."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from entrepot.cli.output import write_output


def test_without_a_file_it_is_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    write_output(None, "text\n")
    assert capsys.readouterr().out == "text\n"


def test_a_file_is_replaced_and_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "a"
    write_output(path, "one")
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("one", 0o644)
    path.chmod(0o600)
    write_output(path, "two")
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("two", 0o600)
    assert list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_written_leaves_nothing_and_is_told(tmp_path: Path) -> None:
    (tmp_path / "directory").mkdir()
    with pytest.raises(click.ClickException, match="directory"):
        write_output(tmp_path / "directory", "text")
    assert [one.name for one in tmp_path.iterdir()] == ["directory"]
    with pytest.raises(click.ClickException, match="No such file"):
        write_output(tmp_path / "none" / "a", "text")
