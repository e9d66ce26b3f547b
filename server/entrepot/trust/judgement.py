"""What a decision means for each mirror that answered: records for the ledger."""

from __future__ import annotations

from entrepot.oci.digest import Digest
from entrepot.oci.reference import RepositoryName, Tag
from entrepot.trust.ledger import LedgerRecord, Verdict
from entrepot.trust.level import Level
from entrepot.trust.verdicts import Accept, Ask, Decision, Event, Keep
from entrepot.trust.voting import Answer

_WEAK = frozenset({Event.UNVERIFIED, Event.PIN_NOT_MET, Event.DISAGREEMENT})


def judge(
    decision: Decision,
    answers: tuple[Answer, ...],
    *,
    at: float,
    registry: str,
    repository: RepositoryName,
    tag: Tag,
) -> tuple[LedgerRecord, ...]:
    """Make one record for each answer with a digest; none while more is to be asked.

    Silence is no record: what a mirror did not say, nobody has to be warned of. A decision that
    repeats what is held is recorded like any other; whoever stores may leave CONFIRMED out.
    """
    if isinstance(decision, Ask):
        return ()
    return tuple(
        LedgerRecord(
            at=at,
            registry=registry,
            repository=repository,
            reference=tag,
            mirror=answer.mirror,
            received=answer.sent or answer.digest,
            verdict=_verdict(decision, answer),
            digest=_served(decision),
            level=_level(decision),
            note=answer.detail,
        )
        for answer in answers
        if answer.digest is not None
    )


def _verdict(decision: Decision, answer: Answer) -> Verdict:
    if not isinstance(decision, Accept | Keep) or answer.digest != decision.digest:
        return Verdict.REFUSED
    if isinstance(decision, Keep):
        return Verdict.CONFIRMED
    if any(report.event in _WEAK for report in decision.reports):
        return Verdict.REPORTED
    return Verdict.REPAIRED if answer.sent else Verdict.ACCEPTED


def _served(decision: Decision) -> Digest | None:
    return decision.digest if isinstance(decision, Accept | Keep) else None


def _level(decision: Decision) -> Level | None:
    return decision.level if isinstance(decision, Accept | Keep) else None
