from __future__ import annotations

from entrepot.oci.digest import Digest
from entrepot.oci.mediatype import OCI_INDEX
from entrepot.oci.reference import RepositoryName, Tag
from entrepot.store.record import TagRecord


def test_the_key_of_a_tag_is_registry_repository_and_tag() -> None:
    record = TagRecord(
        registry="registry.k8s.io",
        repository=RepositoryName.parse("pause"),
        tag=Tag.parse("3.1"),
        digest=Digest.of(b""),
        media_type=OCI_INDEX,
        size=0,
        checked_at=1.0,
        mirror="first",
    )
    assert record.key == ("registry.k8s.io", "pause", "3.1")
