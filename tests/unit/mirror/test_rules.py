"""What a record on the disk counts for by the pins and policies of now."""

from __future__ import annotations

from dataclasses import replace

import pytest

from entrepot.oci.digest import Digest
from entrepot.oci.mediatype import OCI_INDEX
from entrepot.oci.reference import RepositoryName, Tag
from entrepot.store.record import TagRecord
from entrepot.trust.level import Level
from mirroring import REGISTRY
from unit.mirror.trusting import rules

GOOD, BAD = Digest.of(b"good"), Digest.of(b"bad")
PAUSE = RepositoryName("pause")


def record(level: Level, digest: Digest = GOOD) -> TagRecord:
    return TagRecord(
        REGISTRY, PAUSE, Tag("3.1"), digest, OCI_INDEX, 5, 1.0, "mirror0", level=int(level)
    )


def test_a_pin_raises_what_it_names_and_keeps_back_all_else() -> None:
    pinned = rules(v3_1=GOOD)
    vetted = pinned.vetted(record(Level.FIRST))
    assert vetted == replace(record(Level.FIRST), level=int(Level.PIN))
    assert pinned.have_vetted(vetted)
    assert not rules(v3_1=GOOD).have_vetted(vetted), "they may say something else"
    assert pinned.vetted(record(Level.AUTHORITY, BAD)) is None


def test_a_pin_that_is_gone_counts_as_the_owners_word() -> None:
    assert rules().held(record(Level.PIN)).level is Level.AUTHORITY
    vetted = rules().vetted(record(Level.PIN))
    assert vetted is not None
    assert vetted.level == Level.AUTHORITY


@pytest.mark.parametrize(
    ("policy", "level", "served"),
    [
        ("authority", Level.FIRST, False),
        ("authority", Level.AUTHORITY, True),
        ("agree 2", Level.FIRST, False),
        ("agree 2 warn", Level.FIRST, True),
        ("first", Level.FIRST, True),
        ("pinned", Level.AUTHORITY, False),
    ],
)
def test_what_is_below_the_policy_is_kept_back(policy: str, level: Level, served: bool) -> None:
    assert (rules(policy).vetted(record(level)) is not None) is served


def test_a_policy_that_does_not_go_by_pins_has_none() -> None:
    assert rules("first", v3_1=GOOD).pin(REGISTRY, PAUSE, "3.1") is None
    found = rules("pinned", v3_1=GOOD).pin(REGISTRY, PAUSE, "3.1")
    assert found is not None
    assert found.digest == GOOD


def test_pinned_tags_are_found_by_their_digest() -> None:
    pinned = rules(v3_1=GOOD, v3_2=BAD, v3_3=GOOD)
    assert set(pinned.tags_of(REGISTRY, PAUSE, GOOD)) == {"3.1", "3.3"}
    assert list(pinned.tags_of(REGISTRY, RepositoryName("other"), GOOD)) == []
