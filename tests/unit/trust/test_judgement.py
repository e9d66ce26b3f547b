"""Each answer of a decision becomes one record, which says what became of it."""

from __future__ import annotations

import pytest

from entrepot.oci.digest import Digest
from entrepot.oci.reference import RepositoryName, Tag
from entrepot.trust.judgement import judge
from entrepot.trust.ledger import LedgerRecord, Verdict
from entrepot.trust.level import Level
from entrepot.trust.verdicts import Accept, Ask, Decision, Event, Keep, Reason, Refuse, Report
from entrepot.trust.voting import Answer, Outcome

A, B, SENT = (Digest.of(data) for data in (b"a", b"b", b"sent"))
ANSWERS = (
    Answer.of("right", A),
    Answer.of("liar", B, "200"),
    Answer("silent", Outcome.FAILED),
)


def records(decision: Decision, *answers: Answer) -> tuple[LedgerRecord, ...]:
    return judge(
        decision,
        answers or ANSWERS,
        at=1.0,
        registry="registry.k8s.io",
        repository=RepositoryName("pause"),
        tag=Tag("3.1"),
    )


@pytest.mark.parametrize(
    ("decision", "verdicts"),
    [
        (Accept(A, Level.PIN), [Verdict.ACCEPTED, Verdict.REFUSED]),
        (
            Accept(A, Level.FIRST, (), (Report(Event.UNVERIFIED),)),
            [Verdict.REPORTED, Verdict.REFUSED],
        ),
        (Accept(A, Level.PIN, (), (Report(Event.DISSENT),)), [Verdict.ACCEPTED, Verdict.REFUSED]),
        (Keep(A, Level.PIN, confirmed=True), [Verdict.CONFIRMED, Verdict.REFUSED]),
        (Refuse(Reason.PIN_NOT_MET), [Verdict.REFUSED, Verdict.REFUSED]),
        (Ask(("other",)), []),
    ],
)
def test_verdicts(decision: Decision, verdicts: list[Verdict]) -> None:
    assert [record.verdict for record in records(decision)] == verdicts


def test_a_record_has_everything() -> None:
    _, liar = records(Accept(A, Level.PIN))
    assert liar == LedgerRecord(
        1.0,
        "registry.k8s.io",
        RepositoryName("pause"),
        Tag("3.1"),
        "liar",
        B,
        Verdict.REFUSED,
        A,
        Level.PIN,
        "200",
    )
    refused, _ = records(Refuse(Reason.PIN_NOT_MET))
    assert (refused.digest, refused.level) == (None, None)


def test_what_was_repaired_is_recorded_as_it_was_sent() -> None:
    [record] = records(Accept(A, Level.PIN), Answer.of("anew", A, sent=SENT))
    assert (record.verdict, record.received, record.digest) == (Verdict.REPAIRED, SENT, A)
