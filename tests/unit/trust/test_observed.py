"""The shipped pins beside what public mirrors were really seen to answer."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from entrepot.oci.digest import Digest
from entrepot.trust.decision import Question, decide
from entrepot.trust.level import Level
from entrepot.trust.pinloading import load_pins, shipped_pins
from entrepot.trust.policy import NEVER_MOVING
from entrepot.trust.verdicts import Accept, Reason, Refuse
from entrepot.trust.voting import Answer, Voter

DATA = Path(__file__).parents[2] / "data"
OBSERVED = yaml.safe_load((DATA / "observed-digests.yaml").read_text())
PINS = load_pins(shipped_pins())


@pytest.mark.parametrize("seen", OBSERVED, ids=lambda seen: f"{seen['mirror']} {seen['image']}")
def test_a_mirror_is_believed_exactly_when_it_has_the_owners_digest(
    seen: dict[str, object],
) -> None:
    repository, _, tag = str(seen["image"]).partition(":")
    mirror = str(seen["mirror"])
    pin = PINS.pin("registry.k8s.io", repository, tag)
    assert pin is not None
    digest = Digest.parse(str(seen["digest"]))
    assert pin.allows(digest) == seen["same"]
    answers = (Answer.of(mirror, digest),)
    voters = (Voter(mirror),)
    decision = decide(Question(tag, NEVER_MOVING, voters, pin, None, answers))
    if seen["same"]:
        assert decision == Accept(digest, Level.PIN, (mirror,))
    else:
        assert isinstance(decision, Refuse)
        assert decision.reason is Reason.PIN_NOT_MET
        assert decision.expected == pin.digests
        assert decision.received == answers


def test_both_kinds_were_seen() -> None:
    assert {seen["same"] for seen in OBSERVED} == {True, False}
