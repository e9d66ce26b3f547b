"""A Sigstore bundle as cosign 3 attaches it to images: an envelope, and who signed it.

Read are the versions 0.1 to 0.3 of the format; see `protobuf-specs` of the Sigstore project.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass

BUNDLE_PREFIX = "application/vnd.dev.sigstore.bundle"
IN_TOTO = "application/vnd.in-toto+json"
_MOST_SIGNATURES = 10


@dataclass(frozen=True, slots=True)
class Bundle:
    """A DSSE envelope. `certified`: its signer shows a certificate, not a key known before."""

    payload: bytes
    payload_type: str
    signatures: tuple[bytes, ...]
    certified: bool

    @property
    def signed(self) -> bytes:
        """The bytes that the signatures are over: DSSE's pre-authentication encoding."""
        kind = self.payload_type.encode()
        head = f"DSSEv1 {len(kind)} ".encode() + kind
        return head + f" {len(self.payload)} ".encode() + self.payload


def read_bundle(body: bytes) -> Bundle:
    """Read a bundle with an in-toto statement in it; ValueError, with a reason, otherwise."""
    try:
        document: object = json.loads(body.decode())
    except (ValueError, RecursionError) as error:
        raise ValueError("the bundle is not JSON") from error
    bundle = _mapping(document)
    kind = bundle.get("mediaType")
    if not isinstance(kind, str) or not kind.startswith(BUNDLE_PREFIX):
        raise ValueError(f"not a Sigstore bundle: {kind!r:.100}")
    envelope = _mapping(bundle.get("dsseEnvelope"))
    if not envelope:
        raise ValueError("the bundle has no envelope: only signed in-toto statements are looked at")
    if envelope.get("payloadType") != IN_TOTO:
        raise ValueError(f"the bundle holds {envelope.get('payloadType')!r:.100}, not {IN_TOTO}")
    material = _mapping(bundle.get("verificationMaterial"))
    listed = envelope.get("signatures")
    written = listed[:_MOST_SIGNATURES] if isinstance(listed, list) else []
    return Bundle(
        payload=decode_base64(envelope.get("payload")),
        payload_type=IN_TOTO,
        signatures=tuple(decode_base64(_mapping(one).get("sig")) for one in written),
        certified="certificate" in material or "x509CertificateChain" in material,
    )


def decode_base64(text: object) -> bytes:
    """Read what signatures are written in; ValueError for anything else."""
    if not isinstance(text, str):
        raise ValueError("a signature that is no text")  # noqa: TRY004 - about content
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:
        raise ValueError("a signature that is not base64") from error


def _mapping(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}
