"""Words of a mirror for people: read, cut short, and forgotten when it does not say them again."""

from __future__ import annotations

import pytest

from entrepot.oci.reference import RepositoryName, Tag
from entrepot.upstream.notices import Notices, read_notices

PAUSE, TAG = RepositoryName("pause"), Tag("3.1")


@pytest.mark.rule("N-5")
@pytest.mark.parametrize(
    ("values", "texts"),
    [
        (['299 - "moved to b.test"'], ("moved to b.test",)),
        (['299 - "one", 299 a.test:80 "two, too"', '299 - "one"'], ("one", "two, too")),
        (['199 - "not for people"', '110 - "stale"', "299", "299 - bare", '1299 - "x"'], ()),
        (['299 - "say \\"hello\\" \\\\ "'], ('say "hello" \\',)),
        (['299 - "a\r\nb\x1b[31m é"'], ("a??b?[31m ?",)),
        (['299 - ""', '299 - "unended'], ()),
        ([f'299 - "{n}"' for n in range(9)], ("0", "1", "2")),
        ([f'299 - "{"x" * 1000}"'], ("x" * 250,)),
        ([f'299 - "{"x" * 5000}"'], ()),
    ],
)
def test_texts_are_read_and_bounded(values: list[str], texts: tuple[str, ...]) -> None:
    assert read_notices(values) == texts


def test_the_last_answer_counts() -> None:
    notices = Notices()
    assert notices.about(PAUSE, TAG) == ""
    notices.hear(PAUSE, TAG, ['299 - "old"', '299 - "really"'])
    assert notices.about(PAUSE, TAG) == "old; really"
    notices.hear(PAUSE, TAG, [])
    assert notices.about(PAUSE, TAG) == ""


def test_only_so_many_are_remembered() -> None:
    notices = Notices()
    for number in range(2000):
        notices.hear(PAUSE, Tag(f"t{number}"), ['299 - "x"'])
    assert notices.about(PAUSE, Tag("t0")) == ""
    assert notices.about(PAUSE, Tag("t1999")) == "x"
