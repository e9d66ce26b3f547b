from __future__ import annotations

from entrepot.oci.digest import Digest
from entrepot.oci.mediatype import OCI_INDEX
from entrepot.oci.reference import RepositoryName, Tag
from entrepot.store.record import BlobRecord, Child, ManifestRecord, TagRecord
from entrepot.store.rows import (
    blob_record,
    blob_row,
    link_rows,
    manifest_record,
    manifest_row,
    tag_records,
    tag_row,
)

DIGEST = Digest.of(b"index")


def test_what_was_written_is_read() -> None:
    pause = RepositoryName.parse("pause")
    tag = TagRecord("r", pause, Tag.parse("3.1"), DIGEST, OCI_INDEX, 5, 1.5, "first", level=4)
    manifest = ManifestRecord(DIGEST, OCI_INDEX, 5, "first", "r", "pause", 2.5)
    blob = BlobRecord(DIGEST, 5, 1.0, 2.0, "r", "first,second", 0.5)
    assert tag_records([tuple(tag_row(tag))]) == [tag]
    assert manifest_record(tuple(manifest_row(manifest))) == manifest
    assert blob_record(tuple(blob_row(blob))) == blob


def test_a_tag_that_makes_no_sense_is_left_out() -> None:
    bad = ("r", "UPPER", "3.1", str(DIGEST), OCI_INDEX, 5, 1.5, "first", 1)
    assert tag_records([bad]) == []


def test_a_link_names_its_platform() -> None:
    child = Child(Digest.of(b"child"), "layer", 7, "linux/arm64/v8")
    assert link_rows(DIGEST, [child]) == [
        (str(DIGEST), str(child.digest), "layer", 7, "linux/arm64/v8")
    ]
