"""Which images go: whatever they share, nothing of one that stays is taken, and enough goes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.store.eviction import Image, choose_victims

NOW = 1_000_000.0
PARTS = [f"p{number}" for number in range(12)]


@st.composite
def caches(draw: st.DrawFn) -> tuple[list[Image], dict[str, int], set[str]]:
    """Images that share parts, the parts' sizes, and which of them others need as well."""
    images = [
        Image(
            root=f"r{number}",
            used_at=NOW - draw(st.floats(-10, 1e6)),
            parts=frozenset({f"r{number}", *draw(st.sets(st.sampled_from(PARTS)))}),
            cost=draw(st.sampled_from([1.0, 2.0, 8.0, 64.0])),
            spared=draw(st.booleans()),
        )
        for number in range(draw(st.integers(0, 8)))
    ]
    names = [*PARTS, *(image.root for image in images)]
    sizes = {name: draw(st.integers(0, 100)) for name in names}
    return images, sizes, draw(st.sets(st.sampled_from(PARTS)))


Cache = tuple[list[Image], dict[str, int], set[str]]
WANTED = st.integers(-10, 1500)


def freed(cache: Cache, victims: list[Image]) -> set[str]:
    """What nobody needs any more, worked out anew."""
    images, _, shared = cache
    stay = {part for image in images if image not in victims for part in image.parts}
    return {part for image in victims for part in image.parts} - stay - shared


@given(caches(), WANTED)
def test_kept_images_and_those_in_use_are_never_chosen(cache: Cache, wanted: int) -> None:
    images, sizes, shared = cache
    assert not any(one.spared for one in choose_victims(images, sizes, wanted, NOW, shared))


@pytest.mark.rule("P9")
@given(caches(), WANTED)
def test_enough_goes_or_all_that_may(cache: Cache, wanted: int) -> None:
    images, sizes, shared = cache
    victims = choose_victims(images, sizes, wanted, NOW, shared)
    size = sum(sizes[part] for part in freed(cache, victims))
    if size < wanted:
        assert victims == sorted(
            [one for one in images if not one.spared],
            key=lambda one: (-one.staleness(NOW), one.root),
        )


@given(caches(), WANTED)
def test_no_more_goes_than_has_to(cache: Cache, wanted: int) -> None:
    images, sizes, shared = cache
    victims = choose_victims(images, sizes, wanted, NOW, shared)
    if victims:
        assert sum(sizes[part] for part in freed(cache, victims[:-1])) < wanted


@given(caches(), WANTED)
def test_what_stays_is_worth_at_least_what_goes(cache: Cache, wanted: int) -> None:
    images, sizes, shared = cache
    victims = choose_victims(images, sizes, wanted, NOW, shared)
    stay = [one for one in images if not one.spared and one not in victims]
    if stay and victims:
        assert max(one.staleness(NOW) for one in stay) <= min(one.staleness(NOW) for one in victims)


@given(caches(), WANTED, st.randoms(use_true_random=False))
def test_the_order_of_asking_does_not_matter(cache: Cache, wanted: int, chance: object) -> None:
    images, sizes, shared = cache
    other = list(images)
    chance.shuffle(other)  # type: ignore[attr-defined]
    assert choose_victims(other, sizes, wanted, NOW, shared) == choose_victims(
        images, sizes, wanted, NOW, shared
    )


def test_a_shared_layer_counts_with_the_last_image_that_needs_it() -> None:
    old = Image("old", NOW - 30, frozenset({"old", "base"}))
    older = Image("older", NOW - 40, frozenset({"older", "base"}))
    new = Image("new", NOW - 20, frozenset({"new"}))
    sizes = {"old": 1, "older": 1, "new": 1, "base": 100}
    assert choose_victims([new, old, older], sizes, 2, NOW) == [older, old]
    assert choose_victims([new, old, older], sizes, 50, NOW, shared={"base"}) == [older, old, new]


def test_what_is_hard_to_get_again_goes_later() -> None:
    dead = Image("dead", NOW - 8 * 86400, frozenset({"dead"}), cost=8.0)
    cheap = Image("cheap", NOW - 2 * 86400, frozenset({"cheap"}))
    sizes = {"dead": 5, "cheap": 5}
    assert choose_victims([dead, cheap], sizes, 5, NOW) == [cheap]
    assert choose_victims([dead, cheap], sizes, 6, NOW) == [cheap, dead]


def test_a_clock_that_went_back_changes_no_order() -> None:
    future = Image("future", NOW + 1000, frozenset({"future"}))
    old = Image("old", NOW - 1000, frozenset({"old"}))
    assert choose_victims([future, old], {"future": 1, "old": 1}, 1, NOW) == [old]
