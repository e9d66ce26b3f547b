"""How much has to go: arithmetic."""

from __future__ import annotations

from dataclasses import replace

import pytest

from entrepot.mirror.watermarks import Limits, Usage, free_wanted

MIB, GIB = 1 << 20, 1 << 30
HUNDRED = Limits(max_size=100)


def test_without_limits_nothing_goes_but_on_demand() -> None:
    usage = Usage(kept=10**15, left=10, coming=10, free=0, disk=10)
    assert (usage.over(Limits()), usage.to_low_mark(Limits()), usage.beyond(Limits())) == (0, 0, 0)
    assert Limits().for_blobs is None
    asked = replace(usage, demanded=7)
    assert (asked.over(Limits()), asked.beyond(Limits())) == (7, 7)
    assert asked.reason(Limits()) == "asked for"


@pytest.mark.parametrize(
    ("usage", "over", "to_low_mark"),
    [
        (Usage(kept=90), -10, 0),
        (Usage(kept=95), -5, 5),
        (Usage(kept=100), 0, 10),
        (Usage(kept=90, coming=11), 1, 11),
        (Usage(kept=90, left=11), 1, 11),
        (Usage(kept=90, waiting=11), 1, 11),
        (Usage(kept=90, coming=10**9), 40, 50),  # no more than half is emptied in advance
    ],
)
def test_size(usage: Usage, over: int, to_low_mark: int) -> None:
    assert (max(usage.over(HUNDRED), 0), usage.to_low_mark(HUNDRED)) == (max(over, 0), to_low_mark)
    assert usage.reason(HUNDRED) == ("max_size" if over > 0 else "low mark")


def test_what_is_in_use_lately_goes_only_for_what_waits() -> None:
    assert Usage(kept=98, coming=50).beyond(HUNDRED) <= 0
    assert Usage(kept=100, coming=50).beyond(HUNDRED) <= 0
    assert Usage(kept=101).beyond(HUNDRED) == 1 + 2
    assert Usage(kept=98, waiting=10).beyond(HUNDRED) == 98 + 10 - 99 + 2


def test_manifests_have_a_reserve() -> None:
    assert HUNDRED.for_blobs == 99
    assert Limits(max_size=100 * GIB).for_blobs == 100 * GIB - 16 * MIB


def test_a_small_disk_is_not_emptied_for_nothing() -> None:
    assert free_wanted(2 * GIB, 100 * GIB) == 2 * GIB
    assert free_wanted(2 * GIB, 5 * GIB) == GIB // 2


def test_disk() -> None:
    limits = Limits(min_free=2 * GIB)
    well = Usage(free=3 * GIB, disk=100 * GIB)
    assert (well.over(limits), well.to_low_mark(limits)) == (0, 0)
    tight = replace(well, free=GIB)
    assert (tight.over(limits), tight.beyond(limits)) == (GIB, GIB)
    assert tight.to_low_mark(limits) == GIB + 2 * GIB // 10
    assert tight.reason(limits) == "min_free"
    coming = replace(well, unwritten=2 * GIB)
    assert (coming.over(limits), coming.beyond(limits)) == (GIB, 0)
