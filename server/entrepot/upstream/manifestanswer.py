"""What the answer to a question for a manifest says, and whether it can be believed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from entrepot.errors import BlockPage, DigestInvalid, MirrorLied
from entrepot.oci.digest import Digest
from entrepot.oci.manifest import Manifest, read_manifest
from entrepot.oci.mediatype import bare, is_schema1
from entrepot.oci.reference import Reference
from entrepot.upstream.blobanswer import parse_length
from entrepot.upstream.contentcoding import decode
from entrepot.upstream.request import Answer

LARGEST_MANIFEST_BYTES = 8 << 20
BLOCK_PAGE = "answered 200 text/html instead of content: a block page?"


@dataclass(frozen=True, slots=True)
class ManifestHead:
    """What a HEAD told; `digest` and `size` are None when it did not tell them credibly."""

    digest: Digest | None
    media_type: str
    size: int | None


def judge_manifest(body: bytes, headers: Mapping[str, str], expected: Digest | None) -> Manifest:
    """Read a manifest; ValueError when the bytes are not what they should be."""
    plain = decode(body, headers.get("Content-Encoding"), LARGEST_MANIFEST_BYTES)
    claimed = headers.get("Docker-Content-Digest")
    return read_manifest(plain, headers.get("Content-Type"), expected=expected, claimed=claimed)


def judge_head(headers: Mapping[str, str], reference: Reference) -> ManifestHead:
    """Read what a HEAD told; MirrorLied when that cannot be."""
    media_type = bare(headers.get("Content-Type"))
    if media_type == "text/html":
        raise BlockPage(BLOCK_PAGE, status=200)
    digest = _read_digest(headers.get("Docker-Content-Digest"))
    if isinstance(reference, Digest):
        comparable = digest is not None and digest.algorithm == reference.algorithm
        if comparable and digest != reference and not is_schema1(media_type):
            raise MirrorLied(f"answered {digest} when asked for {reference}", status=200)
    coded = headers.get("Content-Encoding", "identity").strip().lower() != "identity"
    size = None if coded else parse_length(headers.get("Content-Length"))
    return ManifestHead(digest, media_type, size or None)


def _read_digest(text: str | None) -> Digest | None:
    try:
        return Digest.parse(text) if text else None
    except DigestInvalid:
        return None


def first_hop_size(answer: Answer, digest: Digest) -> int | None:
    """Read the size off a redirect, if it speaks of the blob: else the length is its own body's."""
    headers = answer.first_headers
    speaks = _read_digest(headers.get("Docker-Content-Digest")) == digest
    if not speaks or bare(headers.get("Content-Type")) == "text/html":
        return None
    return parse_length(headers.get("Content-Length")) or None
