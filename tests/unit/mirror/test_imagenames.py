"""What people write for an image, and what the catalog calls it."""

from __future__ import annotations

import pytest

from entrepot.errors import DigestInvalid, NameInvalid, TagInvalid
from entrepot.mirror.imagenames import image_glob, image_name, keep_pattern, search_glob
from entrepot.mirror.names import NameTable

NAMES = NameTable({"docker.io": [], "registry.k8s.io": ["k8s.gcr.io"], "quay.io": ["q"]})
DIGEST = f"sha256:{'ab' * 32}"


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("k8s.gcr.io/pause:3.9", "registry.k8s.io/pause:3.9"),
        ("K8S.gcr.io/pause:3.9", "registry.k8s.io/pause:3.9"),
        ("q/team/app:V1", "quay.io/team/app:V1"),
        ("busybox:1", "docker.io/library/busybox:1"),
        ("docker.io/busybox:1", "docker.io/library/busybox:1"),
        ("index.docker.io/busybox:1", "docker.io/library/busybox:1"),
        ("grafana/loki:3", "docker.io/grafana/loki:3"),
        ("Elsewhere.example:5000/app:1", "elsewhere.example:5000/app:1"),
        ("localhost/app:1", "localhost/app:1"),
        (f" quay.io/app@{DIGEST} ", f"quay.io/app@{DIGEST}"),
        (f"quay.io/app:1@{DIGEST}", f"quay.io/app@{DIGEST}"),
    ],
)
def test_one_image_has_one_name(written: str, name: str) -> None:
    assert image_name(written, NAMES) == name
    assert image_name(name, NAMES) == name


@pytest.mark.parametrize(
    ("written", "error"),
    [
        ("quay.io/app", NameInvalid),
        ("quay.io/App:1", NameInvalid),
        ("quay.io/:1", NameInvalid),
        ("", NameInvalid),
        ("quay.io/../app:1", NameInvalid),
        ("quay.io/app:", TagInvalid),
        ("quay.io/app:-1", TagInvalid),
        ("quay.io/app@sha256:ab", DigestInvalid),
        ("quay.io/app@", DigestInvalid),
    ],
)
def test_what_is_no_name_is_refused(written: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        image_name(written, NAMES)


def test_a_refusal_does_not_repeat_all_of_a_long_text() -> None:
    with pytest.raises(NameInvalid) as refused:
        image_name(f"quay.io/{'a' * 200}/{'b' * 5000}", NAMES)
    assert len(str(refused.value)) < 1000


@pytest.mark.parametrize(
    ("written", "glob"),
    [
        ("pause", "*/pause[:@]*"),
        ("pause:3.9", "*/pause:3.9"),
        ("kube-*", "*/kube-*"),
        ("k8s.gcr.io/pause", "registry.k8s.io/pause[:@]*"),
        ("k8s.gcr.io/*", "registry.k8s.io/*"),
        ("docker.io/busybox", "docker.io/library/busybox[:@]*"),
        ("docker.io/*", "docker.io/*"),
        (f"quay.io/app@{DIGEST}", f"quay.io/app@{DIGEST}"),
        ("*/pause:3.*", "*/pause:3.*"),
    ],
)
def test_a_pattern_means_every_registry_or_the_one_it_names(written: str, glob: str) -> None:
    assert image_glob(written, NAMES) == glob


def test_a_pattern_to_keep_has_the_registrys_own_name() -> None:
    assert keep_pattern("k8s.gcr.io/kube-*:v1.?", NAMES) == "registry.k8s.io/kube-*:v1.?"
    assert keep_pattern(" docker.io/busybox ", NAMES) == "docker.io/library/busybox"
    assert keep_pattern("docker.io/*", NAMES) == "docker.io/*"
    assert keep_pattern("team/app:1", NAMES) == "team/app:1"


@pytest.mark.parametrize(
    ("typed", "glob"),
    [
        ("pau", "*pau*"),
        (" k8s.gcr.io/pau ", "registry.k8s.io/*pau*"),
        ("k8s.gcr.io/", "registry.k8s.io/**"),
        ("team/app:v1", "*team/app:v1*"),
        ("a*[b]?", "*a[*][[]b][?]*"),
        ("", "**"),
    ],
)
def test_what_is_typed_into_a_search_field(typed: str, glob: str) -> None:
    assert search_glob(typed, NAMES) == glob
