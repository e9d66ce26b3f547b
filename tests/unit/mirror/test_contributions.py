"""Who sent which bytes."""

from __future__ import annotations

from entrepot.mirror.contributions import Contributions


def test_pieces_that_follow_one_another_are_one_and_others_are_apart() -> None:
    made = Contributions()
    made.add(0, 5, "a")
    made.add(5, 9, "a")
    made.add(20, 30, "b")
    made.add(9, 12, "a")
    assert made.of("a") == [(0, 9), (9, 12)]
    assert made.mirrors == {"a", "b"}


def test_who_said_that_it_ends_here_took_part_without_sending_anything() -> None:
    made = Contributions()
    made.add(0, 0, "a")
    assert made.mirrors == {"a"}
    assert not made.of("a")


def test_replacing_and_clearing() -> None:
    made = Contributions()
    made.add(0, 5, "a")
    made.add(5, 9, "b")
    made.replace("a", "c")
    assert made.of("a") == []
    assert made.of("c") == [(0, 5)]
    made.clear()
    assert made.mirrors == frozenset()
