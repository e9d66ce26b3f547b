"""Descriptors and platforms are values."""

import pytest

from entrepot.oci.descriptor import Descriptor, Platform
from entrepot.oci.digest import Digest


@pytest.mark.parametrize(
    ("platform", "text"),
    [
        (Platform("linux", "amd64"), "linux/amd64"),
        (Platform("linux", "arm64", "v8"), "linux/arm64/v8"),
        (Platform("unknown", "unknown"), "unknown/unknown"),
    ],
)
def test_platforms_are_written_as_clients_write_them(platform: Platform, text: str) -> None:
    assert str(platform) == text


def test_descriptors_are_hashable_with_annotations() -> None:
    plain = Descriptor("a/b", Digest.of(b""), 0)
    noted = Descriptor("a/b", Digest.of(b""), 0, annotations={"k": "v"})
    assert {plain, noted, Descriptor("a/b", Digest.of(b""), 0)} == {plain, noted}
