"""What a decision comes to for the mirrors: records, a count, a line in the log."""

from __future__ import annotations

from pathlib import Path

import structlog.testing

from entrepot.mirror.judging import judged
from entrepot.oci.digest import Digest
from entrepot.oci.reference import Tag
from entrepot.trust.ledger import Verdict
from entrepot.trust.level import Level
from entrepot.trust.verdicts import Accept, Event, Keep, Reason, Refuse, Report
from entrepot.trust.voting import Answer
from mirroring import PAUSE, mirroring

GOOD, BAD = Digest.of(b"good"), Digest.of(b"bad")
SAID = (Answer.of("one", BAD), Answer.of("two", GOOD))


async def test_each_kind_of_refusal_is_counted_by_its_reason(tmp_path: Path) -> None:
    decisions: dict[str, Accept | Keep | Refuse] = {
        "pinned": Accept(GOOD, Level.PIN, ("two",)),
        "outvoted": Accept(GOOD, Level.AGREEMENT, ("two",)),
        "moved": Keep(
            GOOD, Level.FIRST, confirmed=False, reports=(Report(Event.MOVE_REFUSED, "one", BAD),)
        ),
        "policy": Refuse(Reason.UNVERIFIED, (), SAID),
    }
    async with mirroring(tmp_path, "http://127.0.0.1:1") as layer:
        for reason, decision in decisions.items():
            with structlog.testing.capture_logs() as lines:
                judged(layer.manifests, PAUSE, Tag("3.1"), decision, SAID)
            told = [line for line in lines if line["event"] == "trust.refused"]
            assert (told[0]["mirror"], told[0]["said"]) == ("one", str(BAD))
            assert f'mirror="one",reason="{reason}"' in layer.metrics.render().decode()
        verdicts = {one.verdict for one in await layer.manifests.ledger.records(mirror="two")}
        assert verdicts == {Verdict.ACCEPTED, Verdict.REFUSED}


async def test_that_nothing_changed_is_no_news(tmp_path: Path) -> None:
    async with mirroring(tmp_path, "http://127.0.0.1:1") as layer:
        kept = Keep(GOOD, Level.FIRST, confirmed=True)
        with structlog.testing.capture_logs() as lines:
            judged(layer.manifests, PAUSE, Tag("3.1"), kept, (Answer.of("two", GOOD),))
        assert lines == []
        assert await layer.manifests.ledger.records() == ()
