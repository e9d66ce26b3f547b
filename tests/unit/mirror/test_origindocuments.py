"""Origins as JSON."""

from __future__ import annotations

import json

from entrepot.mirror.origindocuments import (
    origin_document,
    record_document,
    standing_document,
    suspect_document,
)
from entrepot.mirror.origins import Given, Origin, Standing, Suspect
from entrepot.oci.reference import Tag
from entrepot.trust.ledger import Verdict
from entrepot.trust.level import Level
from entrepot.trust.pins import Pin
from entrepot.trust.policy import NEVER_MOVING
from unit.mirror.test_origins import BAD, ONE, said
from unit.store.keeping import PAUSE, REGISTRY

NOTHING = Origin(f"{REGISTRY}/pause:1", REGISTRY, PAUSE, Tag("1"), NEVER_MOVING)


def test_what_is_not_known_is_null() -> None:
    told = origin_document(NOTHING)
    assert json.loads(json.dumps(told)) == told
    absent = ("digest", "level", "vouched_by", "pin", "said_by", "checked_at", "manifest_from")
    assert {told[key] for key in absent} == {None}
    assert told["policy"] == "pinned, authority, first warn, frozen"


def test_everything_that_is_known_is_told() -> None:
    refused = said("liar", Verdict.REFUSED, 1_800_000_000.0, received=BAD)
    origin = Origin(
        **{name: getattr(NOTHING, name) for name in ("name", "registry", "repository", "policy")},
        reference=Tag("1"),
        level=Level.PIN,
        pin=Pin((ONE.digest,), "pins.yaml", 3, "s", "d"),
        given=(Given("first", 2, 10),),
        records=(said("first", Verdict.ACCEPTED), refused),
        demoted=("liar", "elsewhere refused"),
    )
    told = origin_document(origin)
    assert json.loads(json.dumps(told)) == told
    assert told["refused"] == ["liar"]
    assert told["demoted"] == [
        {"mirror": "liar", "until": "2027-01-15T09:00:00+00:00"},
        {"mirror": "elsewhere refused", "until": None},
    ]
    assert told["given"] == [{"mirrors": "first", "blobs": 2, "bytes": 10}]


def test_records_standings_and_suspects() -> None:
    record = said("first", Verdict.ACCEPTED)
    told = record_document(record)
    assert (told["image"], told["verdict"]) == (record.image, "accepted")
    assert told["text"] == str(record)
    assert suspect_document(Suspect(record, held=True)) == told | {"held": True}
    standing = Standing(REGISTRY, "first", ((Verdict.REFUSED, 2),), 0.0, demoted=True)
    stands = standing_document(standing)
    assert (stands["refused"], stands["accepted"], stands["last_at"]) == (2, 0, None)
