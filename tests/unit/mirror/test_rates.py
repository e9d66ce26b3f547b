"""How fast counts grow, for somebody who looks now and then."""

from __future__ import annotations

from entrepot.mirror.rates import Rates


def test_at_first_it_is_the_average_and_then_what_is_new() -> None:
    rates = Rates()
    assert rates.look("fill", {"a": 1000}, 100.0, 10.0) == {"a": 100.0}
    assert rates.look("fill", {"a": 1100}, 101.0, 11.0) == {"a": 100.0}
    assert rates.look("fill", {"a": 1400, "b": 50}, 102.0, 12.0) == {"a": 200.0, "b": 50.0}


def test_looks_close_together_say_the_same() -> None:
    rates = Rates()
    before = rates.look("fill", {"a": 1000}, 100.0, 10.0)
    assert rates.look("fill", {"a": 5000}, 100.1, 10.1) == before


def test_what_was_thrown_away_is_no_negative_speed() -> None:
    rates = Rates()
    _ = rates.look("fill", {"a": 1000}, 100.0, 1.0)
    assert rates.look("fill", {"a": 0}, 102.0, 3.0) == {"a": 500.0}


def test_others_are_forgotten() -> None:
    rates = Rates()
    for key in ("one", "two"):
        _ = rates.look(key, {"a": 10}, 100.0, 1.0)
    rates.forget_others(["two"])
    assert rates.look("one", {"a": 30}, 103.0, 3.0) == {"a": 10.0}
    assert rates.look("nothing yet", {}, 100.0, 0.0) == {}
