"""What somebody may have meant by a bare name."""

from __future__ import annotations

import pytest

from entrepot.mirror.meant import instead, is_known, namesakes
from entrepot.mirror.names import NameTable
from entrepot.oci.digest import Digest
from entrepot.oci.reference import RepositoryName, Tag
from entrepot.trust.pinfile import read_pin_file
from entrepot.trust.pins import Pins, combine

K8S = "registry.k8s.io"
NAMES = NameTable({"docker.io": (), K8S: ("k8s.gcr.io",), "quay.io": ()})
DIGEST = Digest.of(b"x")


def test_only_docker_hubs_images_have_namesakes() -> None:
    path, tag = RepositoryName("library/pause"), Tag("3.1")
    found = namesakes("docker.io", path, tag, NAMES)
    assert found == (("quay.io", "pause", "3.1"), (K8S, "pause", "3.1"))
    assert namesakes("quay.io", path, tag, NAMES) == ()
    deep = namesakes("docker.io", RepositoryName("coredns/coredns"), tag, NAMES)
    assert {path for _, path, _ in deep} == {"coredns/coredns"}


@pytest.mark.parametrize(
    ("registry", "image", "known"),
    [
        ("quay.io", "app:1", True),
        ("quay.io", "pause:3.1", False),
        (K8S, "app:1", False),
        (K8S, "pause:3.1", True),
        (K8S, "etcd:3.5.12-0", True),
        (K8S, "kube-proxy:v1.30.5", True),
        (K8S, "kube-proxy:v9.1.1", False),
        (K8S, "kube-proxy:latest", False),
    ],
)
def test_pins_and_kubeadms_table_are_what_is_known(registry: str, image: str, known: bool) -> None:
    pins = combine(
        [read_pin_file("p.yaml", ["schema: 1\n", "pins:\n", f"  quay.io/app:1: {DIGEST}\n"])]
    )
    path, _, tag = image.partition(":")
    assert is_known(registry, RepositoryName(path), Tag(tag), NAMES, pins) is known


def test_kubernetes_may_go_by_its_old_name() -> None:
    old = NameTable({"k8s.gcr.io": (K8S,)})
    pause = RepositoryName("pause"), Tag("3.1")
    assert is_known("k8s.gcr.io", *pause, old, Pins())
    assert not is_known(K8S, *pause, old, Pins())


def test_message() -> None:
    assert instead([]) == ""
    assert instead(["a/b:1", "c/b:1"]) == "; did you mean a/b:1 or c/b:1?"
