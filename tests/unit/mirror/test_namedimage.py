"""A name taken apart, and put together again."""

from __future__ import annotations

import pytest

from entrepot.errors import DigestInvalid, NameInvalid, TagInvalid
from entrepot.mirror.namedimage import NamedImage
from entrepot.mirror.names import NameTable

NAMES = NameTable({"docker.io": [], "registry.k8s.io": ["k8s.gcr.io"]})
DIGEST = f"sha256:{'ab' * 32}"


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("k8s.gcr.io/coredns/coredns:v1", "registry.k8s.io/coredns/coredns:v1"),
        ("busybox:1", "docker.io/library/busybox:1"),
        (f"busybox:1@{DIGEST}", f"docker.io/library/busybox@{DIGEST}"),
        ("elsewhere.example:5000/a:1", "elsewhere.example:5000/a:1"),
    ],
)
def test_parts_make_the_name_again(written: str, name: str) -> None:
    named = NamedImage.read(written, NAMES)
    assert str(named) == name
    image = named.image
    assert name.startswith(f"{image.registry}/{image.repository}")
    assert image.client_repository == image.repository


@pytest.mark.parametrize(
    ("written", "error"),
    [
        ("busybox", NameInvalid),
        ("UPPER/a:1", NameInvalid),
        ("a:-", TagInvalid),
        ("a@x", DigestInvalid),
    ],
)
def test_what_is_no_name_is_refused(written: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        NamedImage.read(written, NAMES)
