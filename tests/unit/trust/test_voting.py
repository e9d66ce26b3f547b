"""Each known mirror has one vote; what was held under a pin may be released."""

import pytest

from entrepot.oci.digest import Digest
from entrepot.trust.level import Level
from entrepot.trust.voting import Answer, Held, Outcome, Tally, Voter

A, B = Digest.of(b"a"), Digest.of(b"b")
ONE, TWO, OWNER = Voter("one"), Voter("two"), Voter("owner", authority=True)
VOTERS = (ONE, TWO, OWNER)


def test_answers_are_counted_once_for_each_known_mirror() -> None:
    answers = [
        Answer.of("one", A),
        Answer.of("one", B),
        Answer.of("stranger", B),
        Answer.of("owner", A),
    ]
    tally = Tally.of(VOTERS, answers)
    assert tally.ranking == ((A, 2),)
    assert tally.mirrors_of(A) == ("one", "owner")
    assert tally.mirrors_of(B) == ()
    assert tally.pending == ("two",)
    assert tally.of_authorities().answers == (Answer.of("owner", A),)


def test_among_equals_the_earlier_ranks_higher() -> None:
    tally = Tally.of(VOTERS, [Answer.of("two", B), Answer.of("one", A)])
    assert tally.ranking == ((B, 1), (A, 1))


def test_mirrors_of_one_host_have_one_vote_between_them() -> None:
    voters = (Voter("a", host="h"), Voter("b", host="h"), ONE, TWO)
    tally = Tally.of(voters, [Answer.of("a", B), Answer.of("b", B), Answer.of("one", A)])
    assert tally.ranking == ((B, 1), (A, 1))
    assert tally.mirrors_of(B) == ("a", "b")
    assert tally.voices(["a", "b"]) == 1
    assert tally.voices(["a", "two"]) == 2


def test_not_found_by_all_is_not_the_same_as_silence() -> None:
    gone, failed = Answer("one", Outcome.NOT_FOUND), Answer("two", Outcome.FAILED)
    assert Tally.of(VOTERS, [gone]).all_not_found()
    assert not Tally.of(VOTERS, [gone, failed]).all_not_found()
    assert not Tally.of(VOTERS, []).all_not_found()


def test_an_answer_has_a_digest_exactly_when_it_says_so() -> None:
    with pytest.raises(ValueError):
        Answer("one", Outcome.DIGEST)
    with pytest.raises(ValueError):
        Answer("one", Outcome.FAILED, A)
    with pytest.raises(ValueError):
        Answer("one", Outcome.FAILED, sent=A)
    assert Answer.of("one", A, sent=B).sent == B


def test_answers_are_told() -> None:
    assert str(Answer.of("one", A, "repaired")) == f"one: {A} (repaired)"
    assert str(Answer("one", Outcome.FAILED, detail="503")) == "one: failed (503)"
    assert str(Answer("one", Outcome.NOT_FOUND)) == "one: not found"


def test_a_pin_that_is_gone_leaves_an_owners_word() -> None:
    pinned = Held(A, Level.PIN, 1.0, "one")
    assert pinned.released() == Held(A, Level.AUTHORITY, 1.0, "one")
    first = Held(A, Level.FIRST)
    assert first.released() is first
