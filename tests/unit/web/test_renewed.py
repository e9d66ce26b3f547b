from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import structlog

from entrepot.web.renewed import Renewed


def number(file: Path) -> int:
    return int(file.read_text())


@pytest.fixture
async def renewed(tmp_path: Path) -> Renewed[int]:
    file = tmp_path / "file"
    file.write_text("1")
    one = Renewed([file], lambda: number(file))
    await one.load()
    return one


async def test_nothing_is_read_while_nothing_changes(renewed: Renewed[int]) -> None:
    assert not await renewed.refresh()
    assert renewed.value == 1


async def test_a_changed_file_is_read(renewed: Renewed[int], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("22")
    assert await renewed.refresh()
    assert renewed.value == 22


@pytest.mark.parametrize("text", ["secret", None])
async def test_what_is_wrong_or_gone_changes_nothing(
    text: str | None, renewed: Renewed[int], tmp_path: Path
) -> None:
    if text is None:
        (tmp_path / "file").unlink()
    else:
        (tmp_path / "file").write_text(text)
    with structlog.testing.capture_logs() as told:
        assert not await renewed.refresh()
    assert renewed.value == 1
    assert [one["event"] for one in told] == ["file.not_renewed"]
    assert "secret" not in str(told)
    (tmp_path / "file").write_text("333")
    assert await renewed.refresh()
    assert renewed.value == 333


async def test_it_is_kept_fresh_by_itself(
    renewed: Renewed[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("entrepot.web.renewed.LOOK_EVERY_S", 0.01)
    keeping = asyncio.get_running_loop().create_task(renewed.keep_fresh())
    (tmp_path / "file").write_text("4444")
    async with asyncio.timeout(10):
        while renewed.value != 4444:
            await asyncio.sleep(0.01)
    keeping.cancel()
    await asyncio.wait([keeping])


async def test_the_first_reading_must_succeed(tmp_path: Path) -> None:
    with pytest.raises(OSError):
        await Renewed([tmp_path / "none"], lambda: number(tmp_path / "none")).load()
