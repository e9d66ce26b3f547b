"""Manifests in memory within a number of bytes; absences within a time."""

from __future__ import annotations

import pytest

from entrepot.errors import ManifestUnknown
from entrepot.mirror.memory import ManifestMemory, NegativeCache
from entrepot.oci.digest import Digest
from entrepot.oci.manifest import Manifest
from entrepot.oci.mediatype import OCI_MANIFEST


def a_manifest(number: int, size: int = 1000) -> Manifest:
    body = str(number).encode().ljust(size)
    return Manifest(Digest.of(body), OCI_MANIFEST, body)


def test_the_least_recently_used_goes_first() -> None:
    memory = ManifestMemory(capacity_bytes=4 * (1000 + 512))
    manifests = [a_manifest(number) for number in range(5)]
    for manifest in manifests[:4]:
        memory.put(manifest)
    assert memory.get(manifests[0].digest) == manifests[0]
    memory.put(manifests[4])
    assert manifests[1].digest not in memory
    assert manifests[0].digest in memory


def test_putting_again_and_dropping_keep_the_account() -> None:
    memory = ManifestMemory(capacity_bytes=2 * (1000 + 512))
    first, second = a_manifest(1), a_manifest(2)
    for _ in range(10):
        memory.put(first)
    memory.put(second)
    memory.drop(first.digest)
    memory.drop(first.digest)
    memory.put(a_manifest(3))
    assert second.digest in memory


def test_one_manifest_is_held_even_if_it_is_too_large() -> None:
    memory = ManifestMemory(capacity_bytes=10)
    manifest = a_manifest(1)
    memory.put(manifest)
    assert memory.get(manifest.digest) == manifest


def test_an_absence_holds_until_its_time_and_the_oldest_are_forgotten() -> None:
    absences = NegativeCache(capacity=2)
    error = ManifestUnknown("no")
    for key in "abc":
        absences.put(key, error, until=10.0)
    assert absences.get("a", 5.0) is None
    assert str(absences.get("c", 9.9)) == "no"
    assert absences.get("c", 10.0) is None


def raise_it(error: Exception) -> None:
    raise error


def test_a_remembered_absence_holds_on_to_no_frames() -> None:
    """A hundred thousand questions for what nobody has would otherwise fill the memory."""
    cache = NegativeCache()
    error = ManifestUnknown("nobody has it")
    cache.put("key", error, until=10.0)
    with pytest.raises(ManifestUnknown):
        raise_it(error)
    known = cache.get("key", now=0.0)
    assert known is not None
    assert (str(known), known.__traceback__) == ("nobody has it", None)
