"""What a tag means, decided as the server decides it, with mirrors asked by a command."""

from __future__ import annotations

import asyncio

from entrepot.survey.asking import Answered, State, ask_tag
from entrepot.survey.panel import Panel
from entrepot.survey.wanted import Wanted
from entrepot.trust.decision import Question, decide
from entrepot.trust.pins import Pin
from entrepot.trust.policy import Policy
from entrepot.trust.verdicts import Ask, Decision
from entrepot.trust.voting import Answer, Outcome, Voter


async def resolve(panel: Panel, wanted: Wanted, policy: Policy, pin: Pin | None) -> Decision:
    """Decide what a tag means; with a pin nobody is asked. Never an `Ask`."""
    members = {member.name: member for member in panel.members}
    voters = tuple(
        Voter(member.name, member.settings.authority, member.client.host)
        for member in panel.members
        if member.client.carries(wanted.repository)
    )
    answers: tuple[Answer, ...] = ()
    while True:
        question = Question(wanted.tag, policy, voters, pin, answers=answers)
        decision = await asyncio.to_thread(decide, question)
        if not isinstance(decision, Ask):
            return decision
        for name in decision.mirrors:
            answers = (*answers, answer_of(await ask_tag(panel, members[name], wanted)))


def answer_of(answered: Answered) -> Answer:
    """Write what a mirror said for the decision."""
    name = answered.member.name
    if answered.manifest is not None:
        return Answer.of(name, answered.manifest.digest)
    gone = answered.state is State.NO_TAG
    return Answer(name, Outcome.NOT_FOUND if gone else Outcome.FAILED, detail=answered.note)
