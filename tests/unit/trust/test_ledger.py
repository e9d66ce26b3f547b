"""Judgements are told in one line each, and can be asked what a mirror brought."""

from __future__ import annotations

from dataclasses import replace

import pytest

from entrepot.oci.digest import Digest
from entrepot.oci.reference import RepositoryName, Tag
from entrepot.trust.ledger import LedgerRecord, Verdict, came_from, reputations
from entrepot.trust.level import Level

A, B = Digest.of(b"a"), Digest.of(b"b")
PAUSE = LedgerRecord(
    at=1_795_545_000.0,
    registry="registry.k8s.io",
    repository=RepositoryName("pause"),
    reference=Tag("3.1"),
    mirror="aliyun",
    received=A,
    verdict=Verdict.ACCEPTED,
    digest=A,
    level=Level.FIRST,
)
HEAD = "2026-11-24 18:30:00 UTC  registry.k8s.io/pause:3.1  aliyun said"


@pytest.mark.parametrize(
    ("record", "text"),
    [
        (PAUSE, f"{HEAD} {A}: accepted; the first answer, vouched for by nobody"),
        (
            replace(PAUSE, verdict=Verdict.REFUSED, digest=B, level=Level.PIN, note="etcd.yaml:9"),
            f"{HEAD} {A}: refused; known in advance, from a file of pins; served {B}; etcd.yaml:9",
        ),
        (
            replace(PAUSE, verdict=Verdict.REPAIRED, digest=B, level=Level.PIN),
            (
                f"{HEAD} {A}: repaired; known in advance, from a file of pins;"
                f" it is {B} when written as its owner wrote it"
            ),
        ),
        (
            replace(PAUSE, received=None, verdict=Verdict.REFUSED, digest=None, level=None),
            f"{HEAD} nothing: refused; nothing was served",
        ),
    ],
)
def test_a_judgement_is_one_line(record: LedgerRecord, text: str) -> None:
    assert str(record) == text


def test_digests_are_named_as_clients_name_them() -> None:
    assert replace(PAUSE, reference=A).image == f"registry.k8s.io/pause@{A}"


def test_nobody_may_have_been_asked() -> None:
    assert "nobody said" in str(replace(PAUSE, mirror=""))


def test_mirrors_are_counted_the_worst_first() -> None:
    refused = replace(PAUSE, mirror="liar", verdict=Verdict.REFUSED)
    records = [PAUSE, replace(PAUSE, verdict=Verdict.CONFIRMED), refused, PAUSE]
    worst, other = reputations([*records, replace(PAUSE, mirror="")])
    assert (worst.refused, str(worst)) == (1, "liar: 1 refused")
    assert (other.refused, str(other)) == (0, "aliyun: 2 accepted, 1 confirmed")


def test_what_a_mirror_brought_that_nobody_else_vouches_for() -> None:
    other = replace(PAUSE, reference=Tag("3.2"))
    vouched = replace(other, at=PAUSE.at + 1, mirror="owner", level=Level.AUTHORITY)
    elsewhere = replace(PAUSE, reference=Tag("3.3"), mirror="daocloud")
    refused = replace(PAUSE, reference=Tag("3.4"), verdict=Verdict.REFUSED)
    assert came_from([vouched, other, elsewhere, refused, PAUSE, PAUSE], "aliyun") == (PAUSE,)
