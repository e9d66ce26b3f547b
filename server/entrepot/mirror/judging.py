"""What a decision about a tag means for the mirrors: ledger, metrics, and lines in the log."""

from __future__ import annotations

import structlog

from entrepot.mirror.manifests import Manifests, title
from entrepot.mirror.names import ImageName
from entrepot.oci.reference import Tag
from entrepot.trust.judgement import judge
from entrepot.trust.ledger import Verdict
from entrepot.trust.level import Level
from entrepot.trust.verdicts import Accept, Event, Keep, Reason, Refuse
from entrepot.trust.voting import Answer

log = structlog.get_logger(__name__)

_TOLD = frozenset({Event.PIN_NOT_MET, Event.PIN_OVERRULED, Event.CORRECTED, Event.DISAGREEMENT})


def judged(
    manifests: Manifests,
    image: ImageName,
    tag: Tag,
    decision: Accept | Keep | Refuse,
    answers: tuple[Answer, ...],
) -> None:
    """Write down what became of each mirror's word, and tell of what was refused."""
    name = title(image, tag)
    records = judge(
        decision,
        answers,
        at=manifests.clock(),
        registry=image.registry,
        repository=image.repository,
        tag=tag,
    )
    # That everything is as it was is no news.
    manifests.ledger.note(one for one in records if one.verdict is not Verdict.CONFIRMED)
    reason = _reason(decision)
    for record in records:
        if record.verdict is not Verdict.REFUSED:
            continue
        manifests.metrics.distrusted(image.registry, record.mirror, reason)
        log.warning(
            "trust.refused",
            image=name,
            mirror=record.mirror,
            reason=reason,
            said=str(record.received),
            served=str(record.digest or "nothing"),
        )
    if isinstance(decision, Refuse) and decision.expected:
        log.warning(
            "trust.pin_not_met",
            image=name,
            expected=" or ".join(map(str, decision.expected)),
            reason=str(decision.reason),
        )
    for report in decision.reports:
        if report.event is Event.UNVERIFIED and not isinstance(decision, Keep):
            log.info("trust.unverified", image=name, digest=str(report.digest))
        elif report.event in _TOLD:
            log.warning("trust.report", image=name, report=str(report))


def _reason(decision: Accept | Keep | Refuse) -> str:
    """Say in one word, for the metric, why a word was not used."""
    if isinstance(decision, Refuse):
        return "pinned" if decision.reason is Reason.PIN_NOT_MET else "policy"
    events = {report.event for report in decision.reports}
    if Event.MOVE_REFUSED in events:
        return "moved"
    return "pinned" if decision.level is Level.PIN else "outvoted"
