"""What a tag means: the policy, the pin, what is held and what mirrors say, made into a decision.

`decide` is asked again after each answer, until it no longer says `Ask`. Each `Ask` names
mirrors that have not answered, so that there are at most as many rounds as mirrors. Whatever
mirrors say: an enforced pin is never left, and what better evidence has set, worse evidence
does not move.

A pin is accepted before anybody is asked. Its bytes are then to be had from the own store, by
digest from any mirror, or by tag and repair from one that writes manifests anew; what each of
them gave is an answer, and when all have answered in vain, `decide` says `Refuse`, with what
each of them had.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from entrepot.oci.digest import Digest
from entrepot.trust.level import Level
from entrepot.trust.pins import Pin
from entrepot.trust.policy import Policy, Rule, Step
from entrepot.trust.taglook import Look, look_of
from entrepot.trust.verdicts import Accept, Ask, Decision, Event, Keep, Reason, Refuse, Report
from entrepot.trust.voting import Answer, Held, Outcome, Tally, Voter


@dataclass(frozen=True, slots=True)
class Question:
    """Everything that is known about a tag when it is decided on.

    `voters` are in the order to ask; one whose breaker is open has a FAILED answer from the
    beginning. `pin` is from `Pins.pin`; a held pin without one is to be `released()`.
    """

    tag: str
    policy: Policy
    voters: tuple[Voter, ...]
    pin: Pin | None = None
    held: Held | None = None
    answers: tuple[Answer, ...] = ()


@dataclass(frozen=True, slots=True)
class _Found:
    digest: Digest
    level: Level


@dataclass(frozen=True, slots=True)
class _Ended:
    """A step says that nothing more is to be tried; `pin` when it was for want of the pinned."""

    reason: Reason
    pin: Pin | None = None


def decide(question: Question) -> Decision:
    """Decide, or say whom to ask. Pure: the same question always has the same decision."""
    machine = _Machine(question, Tally.of(question.voters, question.answers))
    for step in question.policy.tried:
        match machine.take(step):
            case None:
                continue
            case Ask() as ask:
                return ask
            case _Ended() as ended:
                return machine.end(ended.reason, ended.pin)
            case found:
                return machine.settle(found)
    return machine.end(None, None)


@dataclass(slots=True)
class _Machine:
    question: Question
    tally: Tally
    reports: list[Report] = field(default_factory=list)

    def take(self, step: Step) -> _Found | Ask | _Ended | None:
        """Try one step; None where it cannot tell, and the next is to be tried."""
        match step.rule:
            case Rule.PINNED:
                return self._pinned(step)
            case Rule.AUTHORITY:
                return self._authority(step)
            case Rule.AGREE:
                return self._agreement(step)
            case Rule.FIRST:
                return self._first(step)

    def _pinned(self, step: Step) -> _Found | _Ended | None:
        pin, held = self.question.pin, self.question.held
        if pin is None:
            return None
        if held is not None and pin.allows(held.digest):
            return _Found(held.digest, Level.PIN)
        for answer in self.tally.answers:
            if answer.digest is not None and pin.allows(answer.digest):
                return _Found(answer.digest, Level.PIN)
        if self.tally.pending or not self.tally.voters:
            return _Found(pin.digest, Level.PIN)
        if step.enforce:
            return _Ended(Reason.PIN_NOT_MET if self.tally.ranking else self._silence(), pin)
        self.reports.append(Report(Event.PIN_NOT_MET, digest=pin.digest))
        return None

    def _owners_word(self) -> _Found | None:
        said = self.tally.of_authorities().ranking
        return _Found(said[0][0], Level.AUTHORITY) if said else None

    def _authority(self, step: Step) -> _Found | Ask | _Ended | None:
        found = self._owners_word()
        owners = self.tally.of_authorities()
        if found is not None:
            return found
        if owners.pending:
            return Ask(owners.pending)
        gone = any(answer.outcome is Outcome.NOT_FOUND for answer in owners.answers)
        # The owner is there and has no such tag: a mirror that has one made it up, or kept it.
        return _Ended(Reason.NOT_FOUND) if gone and step.enforce else None

    def _agreement(self, step: Step) -> _Found | Ask | None:
        owner = self._owners_word()
        if owner is not None:
            return owner
        ranking = self.tally.ranking
        votes, next_votes, *_ = (*(count for _, count in ranking), 0, 0)
        if votes >= step.votes and votes > next_votes:
            return _Found(ranking[0][0], Level.AGREEMENT)
        held = self.question.held
        if (
            held is not None
            and held.level >= Level.AGREEMENT
            and self.tally.mirrors_of(held.digest)
        ):
            return _Found(held.digest, held.level)
        pending = self.tally.pending
        if pending and votes + self.tally.voices(pending) >= step.votes:
            return Ask(pending[: max(step.votes - votes, 1)])
        if ranking:
            self.reports.append(Report(Event.DISAGREEMENT))
        return None

    def _first(self, step: Step) -> _Found | Ask | None:
        owner = self._owners_word()
        if owner is not None:
            return owner
        if self.tally.ranking:
            digest, _ = self.tally.ranking[0]
            if not step.enforce:
                self.reports.append(Report(Event.UNVERIFIED, digest=digest))
            return _Found(digest, Level.FIRST)
        return Ask(self.tally.pending) if self.tally.pending else None

    def settle(self, found: _Found) -> Decision:
        """Set what a step found against what is held."""
        held = self.question.held
        mirrors = self.tally.mirrors_of(found.digest)
        if held is None:
            return Accept(found.digest, found.level, mirrors, self._told(found.digest))
        if held.digest == found.digest:
            level = max(held.level, found.level)
            return Keep(found.digest, level, confirmed=True, reports=self._told(found.digest))
        if found.level is Level.PIN:
            self.reports.append(Report(Event.PIN_OVERRULED, held.mirror, held.digest))
        elif found.level < held.level or (found.level == held.level and self._stays(found.level)):
            self.reports = [
                *(report for report in self.reports if report.event is not Event.UNVERIFIED),
                *(Report(Event.MOVE_REFUSED, mirror, found.digest) for mirror in mirrors),
            ]
            told = self._told(held.digest, found.digest)
            return Keep(held.digest, held.level, confirmed=False, reports=told)
        else:
            event = Event.CORRECTED if found.level > held.level else Event.MOVED
            self.reports.append(Report(event, held.mirror, held.digest))
        return Accept(found.digest, found.level, mirrors, self._told(found.digest))

    def _stays(self, level: Level) -> bool:
        """Whether the tag looks as if it does not move, for somebody of this level."""
        look = look_of(self.question.tag)
        if self.question.policy.frozen:
            return look is not Look.MOVING
        return look is Look.FIXED and level < Level.AUTHORITY

    def end(self, reason: Reason | None, pin: Pin | None) -> Decision:
        """Do without an answer: serve what is held if the policy and the pin allow that."""
        held = self.question.held
        if held is not None and held.level >= self.question.policy.floor and pin is None:
            gone = reason is Reason.NOT_FOUND or self.tally.all_not_found()
            self.reports.append(Report(Event.GONE if gone else Event.UNCONFIRMED))
            told = self._told(held.digest)
            return Keep(held.digest, held.level, confirmed=False, reports=told)
        expected = pin.digests if pin is not None else ()
        why = reason or self._why()
        return Refuse(why, expected, self.tally.answers, tuple(self.reports))

    def _why(self) -> Reason:
        if self.question.policy.floor is Level.PIN:
            return Reason.NO_PIN
        return Reason.UNVERIFIED if self.tally.ranking else self._silence()

    def _silence(self) -> Reason:
        return Reason.NOT_FOUND if self.tally.all_not_found() else Reason.UNAVAILABLE

    def _told(self, *digests: Digest) -> tuple[Report, ...]:
        """Add who said something that is neither of these digests."""
        dissent = (
            Report(Event.DISSENT, answer.mirror, answer.digest)
            for answer in self.tally.answers
            if answer.digest is not None and answer.digest not in digests
        )
        return (*self.reports, *dissent)
