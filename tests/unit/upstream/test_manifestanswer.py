"""What answers for manifests say; `test_mirror` hears them from real servers."""

from __future__ import annotations

import pytest

from entrepot.errors import BlockPage, MirrorLied
from entrepot.oci.digest import Digest
from entrepot.oci.mediatype import OCI_MANIFEST
from entrepot.oci.reference import Tag
from entrepot.upstream.manifestanswer import ManifestHead, judge_head, judge_manifest
from fakes.images import image

ONE = image(1)
DIGEST = Digest.parse(str(ONE.digest))


def test_a_head_tells_digest_type_and_size() -> None:
    headers = {
        "Content-Type": OCI_MANIFEST,
        "Docker-Content-Digest": str(DIGEST),
        "Content-Length": "12",
    }
    assert judge_head(headers, Tag("1")) == ManifestHead(DIGEST, OCI_MANIFEST, 12)
    nothing = {"Content-Type": OCI_MANIFEST, "Docker-Content-Digest": "nonsense"}
    assert judge_head(nothing, Tag("1")) == ManifestHead(None, OCI_MANIFEST, None)


def test_what_a_head_cannot_be() -> None:
    with pytest.raises(BlockPage):
        judge_head({"Content-Type": "text/html"}, Tag("1"))
    other = {"Content-Type": OCI_MANIFEST, "Docker-Content-Digest": str(Digest.of(b"other"))}
    with pytest.raises(MirrorLied, match="when asked for"):
        judge_head(other, DIGEST)


def test_a_manifest_is_proved_by_its_digest() -> None:
    headers = {"Content-Type": ONE.media_type}
    assert judge_manifest(ONE.manifest, headers, DIGEST).digest == DIGEST
    with pytest.raises(ValueError, match="sha256"):
        judge_manifest(ONE.manifest, headers, Digest.of(b"other"))
