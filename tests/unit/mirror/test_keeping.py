"""Which images a rule keeps, under whatever name they were pulled."""

from __future__ import annotations

from entrepot.mirror.keeping import Keeping
from entrepot.mirror.names import NameTable
from entrepot.oci.digest import Digest
from entrepot.oci.pattern import ImagePattern
from entrepot.store.candidates import Candidate, Part, Root

NAMES = NameTable({"registry.k8s.io": ["k8s.gcr.io"], "docker.io": []})
ROOT, CHILD = str(Digest.of(b"root")), str(Digest.of(b"child"))


def keeping(*patterns: str) -> Keeping:
    return Keeping(map(ImagePattern.parse, patterns), NAMES)


def candidate(*names: tuple[str, str, str], repository: str = "") -> Candidate:
    parts = {one: Part(one, 1, 0.0, "", "", 0.0, shared=False) for one in (ROOT, CHILD)}
    return Candidate(Root(ROOT, 0.0, "registry.k8s.io", repository), list(names), parts)


def test_an_alias_is_the_registry_itself() -> None:
    pause = candidate(("registry.k8s.io", "pause", "3.9"))
    assert keeping("k8s.gcr.io/pause:*").keeps(pause)
    assert keeping("registry.k8s.io/pause:3.9").keeps(pause)
    assert keeping("K8S.GCR.IO/pause").keeps(pause)
    assert not keeping("k8s.gcr.io/pause:3.1", "docker.io/pause:*").keeps(pause)
    assert not Keeping([ImagePattern.parse("k8s.gcr.io/pause:*")]).keeps(pause)


def test_one_name_of_several_is_enough() -> None:
    both = candidate(("docker.io", "a", "1"), ("registry.k8s.io", "pause", "3.9"))
    assert keeping("k8s.gcr.io/pause:3.9").keeps(both)


def test_one_pulled_by_digest_is_kept_with_its_repository() -> None:
    untagged = candidate(repository="pause")
    assert keeping("k8s.gcr.io/pause").keeps(untagged)
    assert not keeping("k8s.gcr.io/pause:*").keeps(untagged)


def test_the_digest_of_anything_in_it() -> None:
    assert keeping(f"docker.io/x@{CHILD}").keeps(candidate())
    assert not keeping(f"docker.io/x@{Digest.of(b'other')}").keeps(candidate())


def test_more_at_run_time_leaves_the_first_as_it_was() -> None:
    first = keeping("docker.io/a:1", f"docker.io/x@{CHILD}")
    more = first.with_more(["k8s.gcr.io/pause:3.9", "no pattern", "docker.io/a@sha256:1"])
    pause = candidate(("registry.k8s.io", "pause", "3.9"))
    pause.parts.pop(CHILD)
    assert more.keeps(pause)
    assert not first.keeps(pause)
    assert more.keeps(candidate())
