"""Decisions and reports can be told to a person."""

from entrepot.oci.digest import Digest
from entrepot.trust.verdicts import Event, Reason, Refuse, Report
from entrepot.trust.voting import Answer, Outcome

A, B = Digest.of(b"a"), Digest.of(b"b")


def test_reports_are_told_in_words() -> None:
    assert str(Report(Event.DISSENT, "one", B)) == f"this mirror said something else: one {B}"
    assert str(Report(Event.PIN_OVERRULED, digest=B)) == f"{Event.PIN_OVERRULED}: {B}"
    assert str(Report(Event.GONE)) == str(Event.GONE)


def test_a_refusal_tells_what_was_wanted_and_what_each_mirror_had() -> None:
    answers = (Answer.of("one", B), Answer("two", Outcome.FAILED, detail="503"))
    assert str(Refuse(Reason.PIN_NOT_MET, (A,), answers)) == (
        f"the mirrors have other digests than the pinned one; expected {A};"
        f" one: {B}; two: failed (503)"
    )
    assert str(Refuse(Reason.NO_PIN)) == str(Reason.NO_PIN)
