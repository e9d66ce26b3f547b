"""Whatever mirrors say, in whatever order and however often: what can never happen."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from entrepot.oci.digest import Digest
from entrepot.trust.decision import Question, decide
from entrepot.trust.level import Level
from entrepot.trust.pins import Pin
from entrepot.trust.policy import Policy
from entrepot.trust.verdicts import Accept, Ask, Decision, Keep, Reason, Refuse
from entrepot.trust.voting import Answer, Held, Outcome, Voter

DIGESTS = [Digest.of(bytes([number])) for number in range(4)]
NAMES = ["one", "two", "three", "four", "owner"]

digests = st.sampled_from(DIGESTS)
policies = st.sampled_from(
    [
        "pinned",
        "authority",
        "first",
        "agree 2",
        "agree 3 warn",
        "pinned warn",
        "authority warn, frozen",
        "pinned, authority, first warn",
        "pinned, authority, first warn, frozen",
        "pinned, agree 2, first",
        "pinned warn, authority, agree 2 warn",
    ]
).map(Policy.parse)
pinning = st.sampled_from(
    ["pinned", "pinned, authority, first warn", "pinned, agree 2, first"]
).map(Policy.parse)
tags = st.sampled_from(["v1.2.3", "3.1", "latest", "20240110"])
voters = st.lists(
    st.builds(Voter, st.sampled_from(NAMES), st.booleans()),
    max_size=5,
    unique_by=lambda voter: voter.mirror,
).map(tuple)
pins = st.lists(digests, min_size=1, max_size=2, unique=True).map(lambda found: Pin(tuple(found)))
helds = st.builds(Held, digests, st.sampled_from([*Level][:-1]))
answers = st.one_of(
    st.builds(Answer.of, st.sampled_from([*NAMES, "stranger"]), digests),
    st.builds(Answer, st.sampled_from(NAMES), st.sampled_from([Outcome.NOT_FOUND, Outcome.FAILED])),
)
questions = st.builds(
    Question,
    tags,
    policies,
    voters,
    st.none() | pins,
    st.none() | helds,
    st.lists(answers, max_size=6).map(tuple),
)
# What each mirror would say if it were asked; silence where it stands not in the world.
worlds = st.dictionaries(st.sampled_from(NAMES), digests | st.just(Outcome.NOT_FOUND))


def run(question: Question, world: dict[str, Digest | Outcome]) -> Decision:
    """Ask as told until there is a decision; in at most as many rounds as there are mirrors."""
    for _ in range(len(question.voters) + 1):
        decision = decide(question)
        if not isinstance(decision, Ask):
            return decision
        answered = {answer.mirror for answer in question.answers}
        assert decision.mirrors
        assert not answered & set(decision.mirrors)
        mirror = decision.mirrors[0]
        said = world.get(mirror, Outcome.FAILED)
        answer = Answer.of(mirror, said) if isinstance(said, Digest) else Answer(mirror, said)
        question = replace(question, answers=(*question.answers, answer))
    raise AssertionError("it never ended")


@given(questions, worlds)
def test_it_ends_and_is_always_the_same(
    question: Question, world: dict[str, Digest | Outcome]
) -> None:
    assert run(question, world) == run(question, world)


@given(questions, pinning, pins)
def test_an_enforced_pin_is_met_or_nothing_is_served(
    question: Question, policy: Policy, pin: Pin
) -> None:
    decision = decide(replace(question, policy=policy, pin=pin))
    if isinstance(decision, Accept | Keep):
        assert pin.allows(decision.digest)
        assert decision.level is Level.PIN
    else:
        assert isinstance(decision, Refuse)
        assert decision.expected == pin.digests
        assert decision.reason in {Reason.PIN_NOT_MET, Reason.UNAVAILABLE, Reason.NOT_FOUND}


@given(questions, helds, worlds)
def test_what_better_evidence_has_set_worse_evidence_does_not_move(
    question: Question, held: Held, world: dict[str, Digest | Outcome]
) -> None:
    decision = run(replace(question, held=held), world)
    if isinstance(decision, Accept):
        assert decision.level >= held.level
        assert decision.digest != held.digest
    elif isinstance(decision, Keep):
        assert decision.digest == held.digest
        assert decision.level >= held.level


@given(questions, worlds)
def test_nothing_is_served_below_the_policy(
    question: Question, world: dict[str, Digest | Outcome]
) -> None:
    decision = run(question, world)
    if isinstance(decision, Accept | Keep):
        assert decision.level >= question.policy.floor


@given(questions, worlds)
def test_only_what_somebody_said_is_ever_served(
    question: Question, world: dict[str, Digest | Outcome]
) -> None:
    decision = run(question, world)
    if not isinstance(decision, Accept | Keep):
        return
    said = {said for said in world.values() if isinstance(said, Digest)}
    said |= {answer.digest for answer in question.answers if answer.digest is not None}
    said |= set(question.pin.digests) if question.pin else set()
    said |= {question.held.digest} if question.held else set()
    assert decision.digest in said


@given(
    tag=tags,
    policy=pinning,
    asked=voters,
    pin=pins,
    history=st.lists(worlds, max_size=5),
    held=st.none() | helds,
)
def test_no_history_moves_a_pinned_tag(
    *,
    tag: str,
    policy: Policy,
    asked: tuple[Voter, ...],
    pin: Pin,
    history: list[dict[str, Digest | Outcome]],
    held: Held | None,
) -> None:
    """Round after round with other answers, each time beginning with what was held before."""
    for world in history:
        decision = run(Question(tag, policy, asked, pin, held), world)
        if isinstance(decision, Accept | Keep):
            assert pin.allows(decision.digest)
            held = Held(decision.digest, decision.level)


@given(policies, voters, st.lists(worlds, max_size=6), helds)
def test_no_history_lowers_a_level(
    policy: Policy,
    asked: tuple[Voter, ...],
    history: list[dict[str, Digest | Outcome]],
    held: Held,
) -> None:
    for world in history:
        decision = run(Question("latest", policy, asked, None, held), world)
        if isinstance(decision, Accept | Keep):
            assert decision.level >= held.level
            held = Held(decision.digest, decision.level)


@given(st.permutations(["one", "two", "three"]), st.sampled_from(["one", "two", "three"]), digests)
def test_one_liar_among_three_never_wins(order: list[str], liar: str, lie: Digest) -> None:
    asked = tuple(Voter(name) for name in order)
    world: dict[str, Digest | Outcome] = dict.fromkeys(order, DIGESTS[0])
    world[liar] = lie
    decision = run(Question("latest", Policy.parse("agree 2"), asked), world)
    assert isinstance(decision, Accept)
    assert decision.digest == DIGESTS[0]


@given(
    st.permutations(["one", "two", "a", "b", "c"]),
    st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, unique=True),
    digests,
    st.booleans(),
)
def test_one_host_by_many_names_never_wins(
    order: list[str], lying: list[str], lie: Digest, honest: bool
) -> None:
    """Nor does it keep two honest ones from winning."""
    asked = tuple(Voter(name, host="same" if len(name) == 1 else "") for name in order)
    world: dict[str, Digest | Outcome] = dict.fromkeys(lying, lie)
    if honest:
        world |= dict.fromkeys(["one", "two"], DIGESTS[0])
    decision = run(Question("latest", Policy.parse("agree 2"), asked), world)
    assert isinstance(decision, Accept) is honest
    assert not isinstance(decision, Accept) or decision.digest == DIGESTS[0]
