"""Findings as JSON."""

from __future__ import annotations

import json

from entrepot.oci.digest import Digest
from entrepot.survey.documents import examination_document
from entrepot.survey.findings import Examination
from entrepot.survey.suggestion import Suggested
from entrepot.trust.level import Level
from fakes.images import image
from unit.survey.surveyed import PAUSE, pin_of
from unit.survey.test_findings import GOOD

DIGEST = Digest.of(b"x")


def test_everything_is_plain_json() -> None:
    pin = pin_of(image("one"))
    found = Examination(PAUSE, (GOOD,), DIGEST, Level.PIN, pin.where, pin)
    told = examination_document(found, (Suggested({"url": "https://m.example"}, "verbatim"),))
    assert json.loads(json.dumps(told)) == told
    assert (told["image"], told["digest"], told["level"]) == (str(PAUSE), str(DIGEST), "pin")
    assert told["suggestion"] == [{"mirror": {"url": "https://m.example"}, "why": "verbatim"}]
    assert told["usable"] is True


def test_what_is_not_known_is_null() -> None:
    told = examination_document(Examination(PAUSE, (GOOD,)))
    assert (told["digest"], told["level"], told["pin"]) == (None, None, None)
