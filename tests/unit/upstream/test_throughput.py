"""Bytes a second, while somebody reads."""

from __future__ import annotations

import pytest

from entrepot.upstream.throughput import Throughput

MIB = 1 << 20


@pytest.fixture
def told() -> list[float]:
    return []


def test_reads_and_the_short_gaps_between_them_count(told: list[float]) -> None:
    measured = Throughput(told.append)
    measured.read(MIB, 0.0, 0.3)
    measured.read(MIB, 0.35, 1.0)
    assert told == [2 * MIB]


def test_what_came_while_nobody_asked_does_not(told: list[float]) -> None:
    measured = Throughput(told.append)
    measured.read(MIB, 0.0, 0.25)
    measured.read(MIB, 60.0, 60.0)  # it had all the time
    measured.read(MIB, 60.0, 60.25)
    assert told == [4 * MIB]


def test_the_end_of_a_stream_is_a_sample_if_it_is_large_enough(told: list[float]) -> None:
    measured = Throughput(told.append)
    measured.read(1000, 0.0, 0.1)
    measured.finish()
    assert told == []
    measured.read(MIB, 0.1, 0.2)
    measured.finish()
    measured.finish()
    assert told == [pytest.approx(10 * MIB)]


def test_a_body_that_was_there_already_is_none(told: list[float]) -> None:
    """300 KB out of the socket's buffer would be gigabytes a second."""
    measured = Throughput(told.append)
    measured.read(300_000, 0.0, 0.00005)
    measured.finish()
    assert told == []
    measured.read(10 * MIB, 0.00005, 0.05005)
    measured.finish()
    assert told == [pytest.approx(200 * MIB)]
