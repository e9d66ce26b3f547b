"""The keys that programs read, and that all of them are JSON."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from entrepot.mirror.documents import (
    checked_document,
    collected_document,
    image_document,
    keeps_document,
    removal_document,
    scrub_document,
    status_document,
    time_text,
)
from entrepot.mirror.library import Amount, Checked, Collected, Kept, Removal, Status
from entrepot.mirror.watermarks import Limits
from entrepot.oci.digest import Digest
from entrepot.store.completeness import Completeness, Missing, PlatformState
from entrepot.store.inventory import ImageRecord
from entrepot.store.record import Totals
from entrepot.store.scrub import ScrubStatus, Verdict
from entrepot.store.sweep import SweepReport
from fakes.images import OCI_INDEX, OCI_LAYER, OCI_MANIFEST

ROOT, ARM, AMD, LAYER = (Digest.of(name) for name in (b"root", b"arm", b"amd", b"layer"))
STATES = (
    PlatformState("linux/amd64", AMD, (Missing(LAYER, OCI_LAYER, 70),), 2, 30, 100),
    PlatformState("linux/arm64", ARM, (Missing(ARM, OCI_MANIFEST, -1),), 0, 0, 0),
    PlatformState("linux/riscv64", ROOT, (), 2, 40, 40),
)
RECORD = ImageRecord(
    "quay.io", "app", ":1", ROOT, OCI_INDEX, "first", 0.0, Completeness(ROOT, OCI_INDEX, STATES, 75)
)


@pytest.mark.parametrize("never", [None, 0.0])
def test_a_time_is_utc_or_never(never: float | None) -> None:
    assert time_text(1_800_000_000.9) == "2027-01-15T08:00:00+00:00"
    assert time_text(never) is None


def test_an_image_tells_each_platform() -> None:
    told = json.loads(json.dumps(image_document(RECORD)))
    assert (told["name"], told["reference"], told["digest"]) == ("quay.io/app:1", "1", str(ROOT))
    assert (told["size"], told["complete"], told["pullable"]) == (75, False, True)
    assert (told["used_at"], told["mirror"], told["level"]) == (None, "first", None)
    here = [(one["platform"], one["complete"], one["here"]) for one in told["platforms"]]
    assert here == [
        ("linux/amd64", False, True),
        ("linux/arm64", False, False),
        ("linux/riscv64", True, True),
    ]
    assert not any("missing" in one for one in told["platforms"])


def test_what_is_missing_is_told_to_who_asks_for_it() -> None:
    platforms = json.loads(json.dumps(image_document(RECORD, missing=True)))["platforms"]
    assert [one["missing"] for one in platforms] == [
        [{"digest": str(LAYER), "media_type": OCI_LAYER, "size": 70}],
        [{"digest": str(ARM), "media_type": OCI_MANIFEST, "size": -1}],
        [],
    ]


def test_what_was_done_is_told_in_numbers() -> None:
    removal = Removal("quay.io/app:1", ROOT, ("quay.io/app:1",), freed=Amount(2, 30))
    told = json.loads(json.dumps(removal_document(removal)))
    assert (told["digest"], told["names"]) == (str(ROOT), ["quay.io/app:1"])
    assert (told["freed"], told["shared"]) == ({"blobs": 2, "bytes": 30}, {"blobs": 0, "bytes": 0})
    report = SweepReport(orphans=1, lost=2, adopted=3, odd=4, failed=5)
    done = collected_document(Collected(report, 6, 7, 8, Totals(9, 10)))
    counted = {"orphans": 1, "lost": 2, "adopted": 3, "odd": 4, "failed": 5, "evicted": 6}
    assert done == counted | {"partials": 7, "freed_bytes": 8, "blobs": 9, "bytes": 10}
    checked = checked_document(Checked(LAYER, 70, Verdict.ROTTEN, ("quay.io/app:1",)))
    assert (checked["verdict"], checked["images"]) == ("rotten", ["quay.io/app:1"])
    assert keeps_document(Kept(("a",), ("b", "c"))) == {"settings": ["a"], "told": ["b", "c"]}


def test_the_status_of_a_cache_that_no_server_uses() -> None:
    scrub = ScrubStatus(round_began_at=1_800_000_000.0, rotten=1, last_rotten=LAYER)
    status = Status(Totals(1, 2), Limits(300), Amount(3, 4), True, None, None, scrub)
    told = json.loads(json.dumps(status_document(status)))
    assert (told["offline"], told["fills"], told["rebuilding"]) == (None, None, True)
    assert (told["max_size"], told["unfinished"]) == (300, {"blobs": 3, "bytes": 4})
    assert told["scrub"]["began_at"] == "2027-01-15T08:00:00+00:00"
    assert (told["scrub"]["ended_at"], told["scrub"]["last_rotten"]) == (None, str(LAYER))
    assert scrub_document(replace(scrub, last_rotten=None))["last_rotten"] is None
