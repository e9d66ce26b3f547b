"""The line that tells how far it is."""

from __future__ import annotations

import io

import pytest

from entrepot.cli.meter import Meter, meter


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_rate_and_time_left_are_those_of_the_last_seconds() -> None:
    clock, stream = Clock(), io.StringIO()
    measured = Meter("importing", 100 << 20, stream, clock)
    assert "--:--" in measured.line()
    for second in range(1, 31):
        clock.now = second
        measured.add((1 if second <= 15 else 2) << 20)
    assert measured.rate == pytest.approx(2 << 20, rel=0.06)
    line = measured.line()
    assert "45.0 MiB of 100.0 MiB" in line
    assert "left  importing" in line
    assert line.startswith("[###########.")
    measured.clear()
    assert stream.getvalue().endswith("\r")


@pytest.mark.parametrize(
    ("total", "told"),
    [(130 << 20, "2:09 left"), (10_000 << 20, "2 h 46 min left"), (1 << 20, "--:--")],
)
def test_time_left_is_written_as_people_do(total: int, told: str) -> None:
    clock = Clock()
    measured = Meter("", total, None, clock)
    clock.now = 1.0
    measured.set(1 << 20)
    assert told in measured.line()


def test_it_is_not_written_for_every_piece() -> None:
    clock, stream = Clock(), io.StringIO()
    measured = Meter("", 0, stream, clock)
    for _ in range(100):
        measured.add(1)
    assert stream.getvalue().count("\r") == 1


def test_where_there_is_no_terminal_nothing_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    with meter("importing", 10) as measured:
        measured.add(10)
        measured.note("one done")
    told = capsys.readouterr()
    assert (told.out, told.err) == ("one done\n", "")
