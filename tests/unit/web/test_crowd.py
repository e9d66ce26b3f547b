from __future__ import annotations

from entrepot.web.crowd import ADDRESS_FULL, FULL, Crowd


def test_all_together_are_limited() -> None:
    crowd = Crowd(2, None)
    assert [crowd.enter(one) for one in "abc"] == [None, None, FULL]
    crowd.leave("a")
    assert crowd.enter("c") is None
    assert len(crowd) == 2


def test_each_address_is_limited() -> None:
    crowd = Crowd(10, 2)
    assert [crowd.enter(one) for one in "aaab"] == [None, None, ADDRESS_FULL, None]
    crowd.leave("a")
    assert crowd.enter("a") is None


def test_nothing_is_kept_of_those_who_left() -> None:
    crowd = Crowd(10, 2)
    for number in range(1000):
        assert crowd.enter(str(number)) is None
        crowd.leave(str(number))
    assert (len(crowd), len(crowd._present)) == (0, 0)


def test_only_so_many_are_told_why() -> None:
    crowd = Crowd(0, None)
    told = [crowd.stop_outside() for _ in range(100)]
    assert (told.count(True), told[-1]) == (64, False)
    crowd.go_away()
    assert crowd.stop_outside()
