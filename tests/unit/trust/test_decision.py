"""What a tag means, case by case."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from entrepot.oci.digest import Digest
from entrepot.trust.decision import Question, decide
from entrepot.trust.level import Level
from entrepot.trust.pins import Pin
from entrepot.trust.policy import Policy
from entrepot.trust.verdicts import (
    Accept,
    Ask,
    Decision,
    Event,
    Keep,
    Reason,
    Refuse,
    Report,
)
from entrepot.trust.voting import Answer, Held, Outcome, Voter

A, B, C = (Digest.of(data) for data in (b"a", b"b", b"c"))
FAILED, GONE = Outcome.FAILED, Outcome.NOT_FOUND
ONE, TWO, THREE = Voter("one"), Voter("two"), Voter("three")
OWNER = Voter("owner", authority=True)
K8S = "pinned, authority, first warn, frozen"
HUB = "pinned, authority, first warn"


def ask(
    policy: str,
    *voters: Voter,
    tag: str = "v1.2.3",
    pin: Digest | None = None,
    held: tuple[Digest, Level] | None = None,
    answers: Mapping[str, Digest | Outcome] | None = None,
    **said: Digest | Outcome,
) -> Decision:
    """Decide after the keyword answers: `one=A`, `owner=GONE`."""
    known = {**(answers or {}), **said}
    given = tuple(
        Answer.of(mirror, what) if isinstance(what, Digest) else Answer(mirror, what)
        for mirror, what in known.items()
    )
    return decide(
        Question(
            tag,
            Policy.parse(policy),
            voters,
            Pin((pin,)) if pin else None,
            Held(*held) if held else None,
            given,
        )
    )


def events(decision: Decision) -> list[Event]:
    assert not isinstance(decision, Ask)
    return [report.event for report in decision.reports]


class TestPinned:
    def test_the_pin_decides_before_anybody_is_asked(self) -> None:
        assert ask(K8S, ONE, OWNER, pin=A) == Accept(A, Level.PIN)

    def test_the_pin_stands_while_some_mirror_may_still_have_it(self) -> None:
        decision = ask(K8S, ONE, TWO, pin=A, one=B)
        assert decision == Accept(A, Level.PIN, (), (Report(Event.DISSENT, "one", B),))

    def test_who_had_it_is_told(self) -> None:
        assert ask(K8S, ONE, TWO, pin=A, one=FAILED, two=A) == Accept(A, Level.PIN, ("two",))

    def test_nobody_having_it_is_refused_with_both_sides(self) -> None:
        decision = ask(K8S, ONE, OWNER, pin=A, one=B, owner=GONE)
        assert isinstance(decision, Refuse)
        assert (decision.reason, decision.expected) == (Reason.PIN_NOT_MET, (A,))
        assert str(decision) == (
            f"the mirrors have other digests than the pinned one; expected {A};"
            f" one: {B}; owner: not found"
        )

    @pytest.mark.parametrize(
        ("one", "two", "reason"),
        [
            (GONE, GONE, Reason.NOT_FOUND),
            (GONE, FAILED, Reason.UNAVAILABLE),
            (B, FAILED, Reason.PIN_NOT_MET),
        ],
    )
    def test_why_the_pinned_could_not_be_had(
        self, one: Digest | Outcome, two: Outcome, reason: Reason
    ) -> None:
        decision = ask(K8S, ONE, TWO, pin=A, held=(B, Level.AUTHORITY), one=one, two=two)
        assert isinstance(decision, Refuse)
        assert (decision.reason, decision.expected) == (reason, (A,))

    def test_not_even_the_owner_may_say_otherwise(self) -> None:
        assert isinstance(ask(K8S, OWNER, pin=A, owner=B), Refuse)

    def test_a_pin_added_after_a_poisoned_answer_wins(self) -> None:
        decision = ask(K8S, ONE, pin=A, held=(B, Level.FIRST))
        assert decision == Accept(A, Level.PIN, (), (Report(Event.PIN_OVERRULED, "", B),))

    def test_what_the_pin_forbids_is_not_even_served_in_need(self) -> None:
        decision = ask(K8S, ONE, pin=A, held=(B, Level.AUTHORITY), one=FAILED)
        assert isinstance(decision, Refuse)

    def test_what_is_held_rises_to_the_pin(self) -> None:
        assert ask(K8S, ONE, pin=A, held=(A, Level.FIRST)) == Keep(A, Level.PIN, confirmed=True)

    def test_any_alternative_is_right(self) -> None:
        question = Question(
            "v1.2.3",
            Policy.parse(K8S),
            (ONE,),
            Pin((A, B)),
            Held(B, Level.FIRST),
        )
        assert decide(question) == Keep(B, Level.PIN, confirmed=True)

    def test_strictly_pinned_serves_nothing_else(self) -> None:
        decision = ask("pinned", ONE, held=(A, Level.AUTHORITY))
        assert decision == Refuse(Reason.NO_PIN)

    def test_warning_only_accepts_and_reports(self) -> None:
        assert ask("pinned warn", ONE, TWO, pin=A, one=B) == Accept(
            A, Level.PIN, (), (Report(Event.DISSENT, "one", B),)
        )
        decision = ask("pinned warn", ONE, TWO, pin=A, one=B, two=FAILED)
        assert isinstance(decision, Accept)
        assert (decision.digest, decision.level) == (B, Level.FIRST)
        assert events(decision) == [Event.PIN_NOT_MET, Event.UNVERIFIED]


class TestAuthority:
    def test_only_the_owner_is_asked(self) -> None:
        assert ask(K8S, ONE, OWNER, TWO) == Ask(("owner",))

    def test_the_owners_word_counts_and_others_are_told_on(self) -> None:
        decision = ask(K8S, ONE, OWNER, one=B, owner=A)
        assert decision == Accept(
            A, Level.AUTHORITY, ("owner",), (Report(Event.DISSENT, "one", B),)
        )

    def test_out_of_reach_mirrors_are_asked_and_the_answer_is_reported(self) -> None:
        assert ask(K8S, ONE, OWNER, TWO, owner=FAILED) == Ask(("one", "two"))
        decision = ask(K8S, ONE, OWNER, owner=FAILED, one=A)
        unverified = Report(Event.UNVERIFIED, digest=A)
        assert decision == Accept(A, Level.FIRST, ("one",), (unverified,))

    def test_the_owners_not_found_is_an_answer(self) -> None:
        decision = ask(K8S, ONE, OWNER, owner=GONE, one=A)
        assert isinstance(decision, Refuse)
        assert decision.reason is Reason.NOT_FOUND

    def test_unless_it_only_warns(self) -> None:
        decision = ask("authority warn", ONE, OWNER, owner=GONE, one=A)
        assert isinstance(decision, Accept)
        assert events(decision) == [Event.UNVERIFIED]

    def test_what_the_owner_has_no_longer_is_kept(self) -> None:
        decision = ask(K8S, OWNER, held=(A, Level.AUTHORITY), owner=GONE)
        assert decision == Keep(A, Level.AUTHORITY, False, (Report(Event.GONE),))

    def test_without_the_owner_what_is_held_is_kept(self) -> None:
        decision = ask("authority", OWNER, held=(A, Level.AUTHORITY), owner=FAILED)
        assert decision == Keep(A, Level.AUTHORITY, False, (Report(Event.UNCONFIRMED),))

    def test_unless_the_policy_would_never_have_accepted_it(self) -> None:
        decision = ask("authority", OWNER, held=(A, Level.FIRST), owner=FAILED)
        assert isinstance(decision, Refuse)
        assert decision.reason is Reason.UNAVAILABLE

    def test_the_owner_corrects_what_a_mirror_said(self) -> None:
        decision = ask(K8S, OWNER, held=(B, Level.FIRST), owner=A)
        assert isinstance(decision, Accept)
        assert events(decision) == [Event.CORRECTED]


class TestAgreement:
    VOTERS = (ONE, TWO, THREE)

    def test_as_many_as_are_needed_are_asked(self) -> None:
        assert ask("agree 2", *self.VOTERS) == Ask(("one", "two"))
        assert ask("agree 2", *self.VOTERS, one=A) == Ask(("two",))
        assert ask("agree 2", *self.VOTERS, one=FAILED) == Ask(("two", "three"))

    @pytest.mark.parametrize("liar", ["one", "two", "three"])
    def test_one_liar_among_three_is_outvoted(self, liar: str) -> None:
        said: dict[str, Digest | Outcome] = {
            voter.mirror: B if voter.mirror == liar else A for voter in self.VOTERS
        }
        decision = ask("agree 2", *self.VOTERS, answers=said)
        assert isinstance(decision, Accept)
        assert (decision.digest, decision.level) == (A, Level.AGREEMENT)
        assert decision.reports == (Report(Event.DISSENT, liar, B),)

    def test_a_draw_asks_on_or_decides_nothing(self) -> None:
        four = (*self.VOTERS, Voter("four"))
        draw: dict[str, Digest | Outcome] = {"one": A, "two": A, "three": B, "four": B}
        assert ask("agree 2", *four, Voter("five"), answers=draw) == Ask(("five",))
        decision = ask("agree 2", *four, answers=draw)
        assert isinstance(decision, Refuse)
        assert decision.reason is Reason.UNVERIFIED
        assert events(decision) == [Event.DISAGREEMENT]

    def test_too_few_are_refused_or_reported(self) -> None:
        said: dict[str, Digest | Outcome] = {"one": A, "two": FAILED, "three": B}
        assert isinstance(ask("agree 2", *self.VOTERS, answers=said), Refuse)
        decision = ask("agree 2 warn", *self.VOTERS, answers=said)
        assert isinstance(decision, Accept)
        assert (decision.digest, decision.level) == (A, Level.FIRST)
        assert Event.DISAGREEMENT in events(decision)

    def test_nobody_is_asked_when_it_cannot_be_reached_any_more(self) -> None:
        decision = ask("agree 3", *self.VOTERS, one=FAILED, two=A)
        assert isinstance(decision, Refuse)

    def test_one_mirror_is_enough_to_confirm_what_was_agreed_on(self) -> None:
        decision = ask("agree 2", *self.VOTERS, held=(A, Level.AGREEMENT), one=A)
        assert decision == Keep(A, Level.AGREEMENT, confirmed=True)
        assert isinstance(ask("agree 2", *self.VOTERS, held=(A, Level.FIRST), one=A), Ask)

    def test_the_owners_word_is_worth_any_number(self) -> None:
        assert ask("agree 2", ONE, OWNER, owner=A) == Accept(A, Level.AUTHORITY, ("owner",))


class TestFirst:
    def test_the_first_answer_counts(self) -> None:
        assert ask("first", ONE, TWO) == Ask(("one", "two"))
        assert ask("first", ONE, TWO, two=A) == Accept(A, Level.FIRST, ("two",))

    def test_not_found_is_asked_elsewhere(self) -> None:
        assert ask("first", ONE, TWO, one=GONE) == Ask(("two",))
        assert ask("first", ONE, TWO, one=GONE, two=GONE) == Refuse(
            Reason.NOT_FOUND, (), (Answer("one", GONE), Answer("two", GONE))
        )

    def test_no_mirrors_at_all(self) -> None:
        assert ask("first") == Refuse(Reason.UNAVAILABLE)
        kept = Keep(A, Level.FIRST, False, (Report(Event.UNCONFIRMED),))
        assert ask("first", held=(A, Level.FIRST)) == kept


class TestMoving:
    def test_a_changed_version_is_refused_and_told_and_the_old_one_served(self) -> None:
        decision = ask("first", ONE, held=(A, Level.FIRST), one=B)
        assert decision == Keep(A, Level.FIRST, False, (Report(Event.MOVE_REFUSED, "one", B),))

    def test_latest_moves(self) -> None:
        decision = ask("first", ONE, tag="latest", held=(A, Level.FIRST), one=B)
        assert decision == Accept(B, Level.FIRST, ("one",), (Report(Event.MOVED, "", A),))

    @pytest.mark.parametrize("tag", ["latest", "v1.2.3"])
    def test_a_mirror_never_moves_what_the_owner_set(self, tag: str) -> None:
        decision = ask(HUB, ONE, OWNER, tag=tag, held=(A, Level.AUTHORITY), owner=FAILED, one=B)
        assert isinstance(decision, Keep)
        assert (decision.digest, decision.level) == (A, Level.AUTHORITY)
        assert events(decision) == [Event.MOVE_REFUSED]

    def test_a_mirror_may_confirm_what_the_owner_set(self) -> None:
        decision = ask(HUB, ONE, OWNER, held=(A, Level.AUTHORITY), owner=FAILED, one=A)
        assert isinstance(decision, Keep)
        assert decision.confirmed
        assert decision.level is Level.AUTHORITY

    def test_the_owner_may_rebuild_a_version_but_not_where_tags_are_frozen(self) -> None:
        """Docker Hub re-builds its official images under the same tag; Kubernetes never does."""
        held = (A, Level.AUTHORITY)
        assert isinstance(ask(HUB, OWNER, held=held, owner=B), Accept)
        assert events(ask(K8S, OWNER, held=held, owner=B)) == [Event.MOVE_REFUSED]
        assert isinstance(ask(HUB, OWNER, tag="3.1", held=held, owner=B), Accept)
        assert isinstance(ask(K8S, OWNER, tag="3.1", held=held, owner=B), Keep)
        assert isinstance(ask(K8S, OWNER, tag="latest", held=held, owner=B), Accept)

    def test_two_numbers_move_where_tags_are_not_frozen(self) -> None:
        assert isinstance(ask("first", ONE, tag="1.25", held=(A, Level.FIRST), one=B), Accept)
        frozen = ask("first, frozen", ONE, tag="1.25", held=(A, Level.FIRST), one=B)
        assert isinstance(frozen, Keep)
