"""Patterns of images: what they mean and how they are written."""

from __future__ import annotations

import pytest

from entrepot.errors import DigestInvalid
from entrepot.oci.digest import Digest
from entrepot.oci.pattern import ImagePattern

DIGEST = Digest.of(b"")


@pytest.mark.parametrize(
    ("pattern", "name", "meant"),
    [
        ("registry.k8s.io/pause:*", "registry.k8s.io/pause:3.9", True),
        ("registry.k8s.io/pause:*", "registry.k8s.io/pause-arm:3.9", False),
        ("registry.k8s.io/pause", "registry.k8s.io/pause:3.9", True),
        ("registry.k8s.io/kube-*:v1.30.*", "registry.k8s.io/kube-proxy:v1.30.5", True),
        ("registry.k8s.io/kube-*:v1.30.*", "registry.k8s.io/kube-proxy:v1.3035", False),
        ("registry.k8s.io/kube-*:v1.30.*", "quay.io/kube-proxy:v1.30.5", False),
        ("docker.io/library/*", "docker.io/library/nginx:1", True),
        ("docker.io/*", "docker.io/library/nginx:1", True),
        ("10.0.0.5:5000/a:v?", "10.0.0.5:5000/a:v1", True),
        ("Docker.IO/a:1", "docker.io/a:1", True),
    ],
)
def test_names(pattern: str, name: str, meant: bool) -> None:
    registry, _, rest = name.partition("/")
    repository, _, tag = rest.partition(":")
    assert ImagePattern.parse(pattern).matches(registry, repository, tag) is meant


def test_an_image_known_by_its_digest_alone_is_meant_when_every_tag_is() -> None:
    assert ImagePattern.parse("docker.io/library/*").matches("docker.io", "library/a", None)
    assert not ImagePattern.parse("docker.io/a:*").matches("docker.io", "a", None)


def test_a_digest_is_that_one_image_and_no_name() -> None:
    pattern = ImagePattern.parse(f"quay.io/a:1@{DIGEST}")
    assert pattern.digest == DIGEST
    assert not pattern.matches("quay.io", "a", "1")
    assert str(pattern) == f"quay.io/a:1@{DIGEST}"
    assert str(pattern.under("r")) == f"r/a:1@{DIGEST}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nginx:1.27", "begin with a registry"),
        ("library/nginx", "begin with a registry"),
        ("docker.io", "not a pattern"),
        ("docker.io/Nginx", "not a pattern"),
        ("docker.io/nginx:", "not a pattern"),
        ("docker.io/nginx:a b", "not a pattern"),
    ],
)
def test_what_is_no_pattern(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        ImagePattern.parse(text)


def test_what_is_no_digest() -> None:
    with pytest.raises(DigestInvalid):
        ImagePattern.parse("docker.io/a@sha256:12")
