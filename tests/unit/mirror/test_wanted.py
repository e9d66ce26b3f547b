"""How a person is told what a fill is for."""

from __future__ import annotations

from entrepot.mirror.registry import Registry
from entrepot.mirror.wanted import Wanted
from entrepot.oci.digest import Digest
from entrepot.oci.reference import RepositoryName


def test_title() -> None:
    digest = Digest.of(b"")
    wanted = Wanted(digest, Registry("quay.io", (), 300.0), RepositoryName("a/b"))
    assert wanted.title == f"quay.io/a/b@{digest}"
