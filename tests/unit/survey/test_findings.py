"""Of which mirrors an image can be had."""

from __future__ import annotations

from dataclasses import replace

import pytest

from entrepot.survey.asking import State
from entrepot.survey.findings import Examination, Finding, Transfer
from entrepot.trust.fidelity import Fidelity
from unit.survey.surveyed import PAUSE

GOOD = Finding(
    mirror="m",
    place=1,
    url="https://m.example",
    authority=False,
    upstream="m.example/pause:3.1",
    route="direct",
    state=State.ANSWERS,
    pinned=True,
    fidelity=Fidelity.VERBATIM,
)


@pytest.mark.parametrize(
    ("finding", "usable"),
    [
        (GOOD, True),
        (replace(GOOD, fidelity=Fidelity.RESERIALISED, pinned=False), True),
        (replace(GOOD, fidelity=Fidelity.RECOMPRESSED, pinned=False), False),
        (replace(GOOD, fidelity=None, pinned=None), True),
        (replace(GOOD, fidelity=None, pinned=False), False),
        (replace(GOOD, transfer=Transfer(sound=False)), False),
        (replace(GOOD, state=State.SILENT), False),
    ],
)
def test_usable(finding: Finding, usable: bool) -> None:
    assert finding.usable is usable
    assert Examination(PAUSE, (finding,)).usable is usable
