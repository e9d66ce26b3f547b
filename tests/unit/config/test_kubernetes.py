"""What kubeadm of a version pulls, as the table that comes with Entrepot has it."""

from __future__ import annotations

import pytest

from entrepot.config.kubernetes import Version, kubernetes_images


@pytest.mark.parametrize(
    ("version", "others"),
    [
        ("v1.30.5", {"pause:3.9", "etcd:3.5.15-0", "coredns/coredns:v1.11.3"}),
        ("v1.30.4", {"pause:3.9", "etcd:3.5.12-0", "coredns/coredns:v1.11.1"}),
        ("v1.16.15", {"pause:3.1", "etcd:3.3.15-0", "coredns:1.6.2"}),
        ("v1.30.99", {"pause:3.9", "etcd:3.5.15-0", "coredns/coredns:v1.11.3"}),
        ("v1.37.0", {"pause:3.10.2", "etcd:3.7.0-0", "coredns/coredns:v1.14.6"}),
    ],
)
def test_images_of_a_version(version: str, others: set[str]) -> None:
    parts = ("apiserver", "controller-manager", "scheduler", "proxy")
    expected = {f"kube-{part}:{version}" for part in parts} | others
    found = kubernetes_images().images(version)
    assert set(found) == {f"registry.k8s.io/{image}" for image in expected}


def test_the_v_may_be_left_out() -> None:
    table = kubernetes_images()
    assert table.images("1.30.5") == table.images("v1.30.5")


@pytest.mark.parametrize(
    ("version", "nearest"),
    [("v1.99.0", "v1.37.0-rc.0"), ("v1.9.3", "v1.12.0"), ("v1.37.0-beta.1", "v1.37.0-rc.0")],
)
def test_a_version_that_is_not_known(version: str, nearest: str) -> None:
    with pytest.raises(ValueError, match=f"{version} is not known here; the nearest is {nearest}"):
        kubernetes_images().images(version)


@pytest.mark.parametrize("text", ["1.30", "latest", "v1.30.x", ""])
def test_what_is_no_version(text: str) -> None:
    with pytest.raises(ValueError, match="write it as v1"):
        kubernetes_images().images(text)


def test_every_row_is_good_for_its_own_first_version() -> None:
    table = kubernetes_images()
    assert len(table.rows) > 50
    for row in table.rows:
        assert set(row.images) < {
            i.removeprefix("registry.k8s.io/") for i in table.images(str(row.first))
        }


def test_sandbox_images_are_those_of_every_containerd() -> None:
    sandboxes = kubernetes_images().sandboxes
    assert {"registry.k8s.io/pause:3.1", "registry.k8s.io/pause:3.10"} <= set(sandboxes)
    assert len(sandboxes) == len(set(sandboxes))


def test_a_candidate_comes_before_its_release() -> None:
    assert Version.parse("v1.37.0-rc.0") < Version.parse("v1.37.0") < Version.parse("v1.37.1")
