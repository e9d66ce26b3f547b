"""Better evidence compares as larger, and each kind explains itself."""

from entrepot.trust.level import Level


def test_better_evidence_is_larger() -> None:
    assert sorted(Level) == [
        Level.FIRST,
        Level.AGREEMENT,
        Level.AUTHORITY,
        Level.PIN,
        Level.DIGEST,
    ]


def test_stored_values_never_change() -> None:
    assert {str(level): level.value for level in Level} == {
        "first": 1,
        "agreement": 2,
        "authority": 3,
        "pin": 4,
        "digest": 5,
    }


def test_each_level_is_explained() -> None:
    assert len({level.explanation for level in Level}) == len(Level)
