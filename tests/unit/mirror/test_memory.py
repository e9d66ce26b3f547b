"""Manifests in memory within a number of bytes; absences within a time."""

from __future__ import annotations

import gc
import weakref

from entrepot.errors import Attempt, ManifestUnknown
from entrepot.mirror.memory import ForAWhile, ManifestMemory, NegativeCache
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
    error = ManifestUnknown("no", (Attempt("m", "r", "not_found", "404"),))
    for key in "abc":
        absences.put(key, error, now=4.0, until=10.0)
    assert absences.get("a", 5.0) is None
    known = absences.get("c", 9.9)
    assert known is not None
    assert (str(known), known.attempts) == ("no", error.attempts)
    assert absences.get("c", 10.0) is None


def test_an_absence_does_not_hold_on_to_the_request_it_was_an_answer_to() -> None:
    class Request:
        """Something large that the frames of a traceback refer to."""

    def answer(absences: NegativeCache) -> weakref.ref[Request]:
        request = Request()
        seen = weakref.ref(request)
        try:
            error = ManifestUnknown("no")
            absences.put("a", error, now=0.0, until=10.0)
            raise error
        except ManifestUnknown:
            return seen

    absences = NegativeCache()
    seen = answer(absences)
    gc.collect()
    assert seen() is None
    assert absences.get("a", 1.0) is not absences.get("a", 1.0)


def test_what_is_past_its_time_goes_when_something_is_put() -> None:
    held: ForAWhile[int] = ForAWhile()
    for number in range(5):
        held.put(number, number, now=float(number), until=number + 2.5)
    assert len(held) == 3
    held.put(2, 7, now=4.0, until=9.0)
    assert [held.get(number, 4.0) for number in range(5)] == [None, None, 7, 3, 4]
    held.put(9, 9, now=20.0, until=20.0)
    assert len(held) == 0
