from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.store.rangeset import EMPTY, RangeSet

LIMIT = 40
offsets = st.integers(0, LIMIT)
intervals = st.tuples(offsets, offsets).map(lambda pair: (min(pair), max(pair)))
changes = st.lists(st.tuples(st.booleans(), intervals), max_size=30)


def build(steps: list[tuple[bool, tuple[int, int]]]) -> tuple[RangeSet, set[int]]:
    """The same steps on a RangeSet and on a set of integers."""
    ranges, model = EMPTY, set[int]()
    for adding, (start, stop) in steps:
        if adding:
            ranges, model = ranges.add(start, stop), model | set(range(start, stop))
        else:
            ranges, model = ranges.remove(start, stop), model - set(range(start, stop))
    return ranges, model


@given(changes)
def test_holds_what_a_set_of_integers_holds(steps: list[tuple[bool, tuple[int, int]]]) -> None:
    ranges, model = build(steps)
    assert {offset for start, stop in ranges for offset in range(start, stop)} == model
    assert ranges.total == len(model)
    assert ranges.end == max(model, default=-1) + 1
    assert bool(ranges) == bool(model)


@given(changes)
def test_intervals_are_sorted_and_never_touch(steps: list[tuple[bool, tuple[int, int]]]) -> None:
    ranges, _ = build(steps)
    ends = [end for interval in ranges for end in interval]
    assert ends == sorted(set(ends))


@given(changes, intervals)
def test_questions_agree_with_the_model(
    steps: list[tuple[bool, tuple[int, int]]], asked: tuple[int, int]
) -> None:
    ranges, model = build(steps)
    start, stop = asked
    wanted = set(range(start, stop))
    assert ranges.covers(start, stop) == (wanted <= model)
    assert {o for a, b in ranges.missing(start, stop) for o in range(a, b)} == wanted - model
    assert (start in ranges) == (start in model)
    end = start
    while end in model:
        end += 1
    assert ranges.contiguous_end(start) == end


@given(changes, intervals)
def test_adding_what_is_missing_covers(
    steps: list[tuple[bool, tuple[int, int]]], asked: tuple[int, int]
) -> None:
    ranges, _ = build(steps)
    for gap in ranges.missing(*asked):
        ranges = ranges.add(*gap)
    assert ranges.covers(*asked)
    assert ranges.missing(*asked) == ()


def test_equal_sets_are_equal_values_however_they_were_built() -> None:
    assert EMPTY.add(4, 8).add(0, 4) == EMPTY.add(0, 8) == RangeSet(((0, 8),))


@pytest.mark.parametrize("interval", [(-1, 3), (3, 2)], ids=["negative", "backwards"])
def test_nonsense_is_refused(interval: tuple[int, int]) -> None:
    for method in (EMPTY.add, EMPTY.remove, EMPTY.covers, EMPTY.missing):
        with pytest.raises(ValueError, match="not a range"):
            method(*interval)
