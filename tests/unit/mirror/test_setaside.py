"""Whose word is doubted, for which digest, for how long."""

from __future__ import annotations

import pytest

from entrepot.mirror.setaside import SetAside
from entrepot.oci.digest import Digest

ONE, TWO = Digest.of(b"1"), Digest.of(b"2")


@pytest.mark.rule("T-9", "P29")
def test_a_mirror_is_doubted_for_one_digest_and_for_an_hour() -> None:
    aside = SetAside()
    aside.put(ONE, "a", now=0.0)
    assert aside.mirrors(ONE, ("a", "b"), now=3599.0) == {"a"}
    assert aside.mirrors(TWO, ("a", "b"), now=1.0) == set()
    assert aside.mirrors(ONE, ("a", "b"), now=3600.0) == set()
