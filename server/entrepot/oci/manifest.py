"""A manifest as it came: its exact bytes, their digest, their type, and what they point at."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass

from entrepot.errors import DigestInvalid
from entrepot.oci.descriptor import Descriptor, Platform
from entrepot.oci.digest import Digest
from entrepot.oci.mediatype import SCHEMA1_SIGNED, document_type, is_schema1, read_document


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest or index. `body` is what was received, never re-serialised (F-1)."""

    digest: Digest
    media_type: str
    body: bytes

    @property
    def size(self) -> int:
        """Bytes of the body."""
        return len(self.body)


def read_manifest(
    body: bytes,
    content_type: str | None,
    *,
    expected: Digest | None = None,
    claimed: str | None = None,
) -> Manifest:
    """Judge bytes received as a manifest; ValueError, with a reason, when they are not it.

    `expected` is the digest that was asked for, `claimed` the response's digest header. A
    well-formed claim that the bytes contradict is a lie (U-13), except for schema 1, where
    registries disagree about which bytes they hash (F-3); a malformed claim is no claim.
    The digest is of `expected`'s algorithm, SHA-256 without one.
    """
    document = read_document(body)
    media_type = document_type(document, content_type)
    signed = media_type == SCHEMA1_SIGNED and "signatures" in document
    proved = _signed_payload(body, document) if signed else body
    digest = expected or Digest.of(proved)
    if not digest.matches(proved):
        raise ValueError(f"the bytes are {Digest.of(proved)}, not {expected}")
    claim = _read_claim(claimed)
    if claim is not None and not is_schema1(media_type) and not claim.matches(proved):
        raise ValueError(f"the header says {claim}, the bytes are {Digest.of(proved)}")
    return Manifest(digest, media_type, body)


def descriptors(manifest: Manifest) -> tuple[Descriptor, ...]:
    """List what a manifest points at: manifests, or config then layers; not its subject.

    Never raises: what cannot be understood is left out (F-1, F-5), and so are the layers of
    schema 1, which have no sizes.
    """
    try:
        document = read_document(manifest.body)
    except ValueError:
        return ()
    return tuple(found for entry in _entries(document) if (found := _descriptor(entry)))


def schema1_layers(manifest: Manifest) -> tuple[Digest, ...]:
    """List the layers of a schema 1 manifest, each once; never raises (F-1, F-3)."""
    try:
        listed = _list(read_document(manifest.body).get("fsLayers"))
    except ValueError:
        return ()
    named = (entry.get("blobSum") for entry in listed if isinstance(entry, dict))
    read = (_read_claim(text) for text in named if isinstance(text, str))
    return tuple(dict.fromkeys(digest for digest in read if digest is not None))


def _read_claim(claimed: str | None) -> Digest | None:
    try:
        return Digest.parse(claimed) if claimed else None
    except DigestInvalid:
        return None


def _signed_payload(body: bytes, document: dict[str, object]) -> bytes:
    """Take the signatures out of a signed schema 1 manifest: its digest is over the rest (F-3).

    Each signature's protected header tells how many bytes stand before the signatures and what
    stood after them. The result must say the same as the body does, or a mirror could pass
    anything off as the payload.
    """
    payloads = {_payload(body, signature) for signature in _list(document.get("signatures"))}
    if len(payloads) != 1:
        raise ValueError("not a manifest: schema 1 signatures that do not agree")
    payload = payloads.pop()
    unsigned = {key: value for key, value in document.items() if key != "signatures"}
    if read_document(payload) != unsigned:
        raise ValueError("not a manifest: schema 1 signatures over something else")
    return payload


def _payload(body: bytes, signature: object) -> bytes:
    protected = _fields(_base64url(_fields(signature).get("protected")))
    length = protected.get("formatLength")
    if not isinstance(length, int) or not 0 <= length <= len(body):
        raise ValueError("not a manifest: a schema 1 signature that cannot be read")
    return body[:length] + _base64url(protected.get("formatTail"))


def _fields(value: object) -> dict[str, object]:
    if isinstance(value, bytes):
        return read_document(value)
    return value if isinstance(value, dict) else {}


def _base64url(text: object) -> bytes:
    padded = _text(text) + "=" * (-len(_text(text)) % 4)
    try:
        return base64.urlsafe_b64decode(padded)
    except ValueError as error:
        raise ValueError("not a manifest: a schema 1 signature that cannot be read") from error


def _entries(document: dict[str, object]) -> Iterator[object]:
    yield from _list(document.get("manifests"))
    yield document.get("config")
    yield from _list(document.get("layers"))
    yield from _list(document.get("blobs"))


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _descriptor(entry: object) -> Descriptor | None:
    if not isinstance(entry, dict):
        return None
    size, digest = entry.get("size"), entry.get("digest")
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        return None
    if not isinstance(digest, str) or (named := _read_claim(digest)) is None:
        return None
    annotations = entry.get("annotations")
    return Descriptor(
        media_type=_text(entry.get("mediaType")),
        digest=named,
        size=size,
        platform=_platform(entry.get("platform")),
        annotations=_texts(annotations) if isinstance(annotations, dict) else {},
        artifact_type=_text(entry.get("artifactType")),
        inline=_holds(entry.get("data"), named, size),
    )


def _holds(data: object, digest: Digest, size: int) -> bool:
    if not isinstance(data, str) or len(data) > 2 * size + 4:
        return False
    try:
        content = base64.b64decode(data)
    except ValueError:
        return False
    return len(content) == size and digest.matches(content)


def _platform(value: object) -> Platform | None:
    if not isinstance(value, dict):
        return None
    system, architecture = value.get("os"), value.get("architecture")
    if not isinstance(system, str) or not isinstance(architecture, str):
        return None
    return Platform(system, architecture, _text(value.get("variant")))


def _texts(value: dict[object, object]) -> dict[str, str]:
    return {k: v for k, v in value.items() if isinstance(k, str) and isinstance(v, str)}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
