"""What cosign pushes: `.sig` manifests with simple signing payloads, and Sigstore bundles.

Made with throw-away keys, in the formats of cosign's specs/SIGNATURE_SPEC.md and of version 0.3 of
the Sigstore bundle; field order and spelling are as cosign 2 and 3 write them.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from entrepot.oci.digest import Digest
from fakes.images import OCI_CONFIG, OCI_EMPTY, OCI_MANIFEST, Image, Index, sha256

SIMPLE_SIGNING = "application/vnd.dev.cosign.simplesigning.v1+json"
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
SIGN = "https://sigstore.dev/cosign/sign/v1"
PROVENANCE = "https://slsa.dev/provenance/v1"

Kind = Literal["p256", "p384", "p521", "ed25519", "rsa"]
_Private: TypeAlias = ec.EllipticCurvePrivateKey | Ed25519PrivateKey | RSAPrivateKey
_CURVES: dict[str, ec.EllipticCurve] = {
    "p256": ec.SECP256R1(),
    "p384": ec.SECP384R1(),
    "p521": ec.SECP521R1(),
}


@dataclass(frozen=True, slots=True)
class Signer:
    """A private key that signs as cosign does with it."""

    key: _Private

    @classmethod
    def make(cls, kind: Kind = "p256", *, bits: int = 2048) -> Signer:
        if kind == "ed25519":
            return cls(Ed25519PrivateKey.generate())
        if kind == "rsa":
            return cls(generate_private_key(65537, bits))
        return cls(ec.generate_private_key(_CURVES[kind]))

    @property
    def pem(self) -> bytes:
        """The public key, as in cosign.pub."""
        public = self.key.public_key()
        return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    @property
    def hint(self) -> str:
        """How a bundle names the key."""
        public = self.key.public_key()
        der = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return _base64(hashlib.sha256(der).digest())

    def sign(self, data: bytes, scheme: hashes.HashAlgorithm | None = None) -> bytes:
        scheme = scheme or hashes.SHA256()
        match self.key:
            case Ed25519PrivateKey() as key:
                return key.sign(data)
            case RSAPrivateKey() as rsa:
                return rsa.sign(data, padding.PKCS1v15(), scheme)
            case curve:
                return curve.sign(data, ec.ECDSA(scheme))


def payload(
    image: Digest, reference: str = "", kind: str = "cosign container image signature"
) -> bytes:
    """What `cosign sign` signs; `cosign generate` prints the same."""
    return _json(
        {
            "critical": {
                "identity": {"docker-reference": reference},
                "image": {"docker-manifest-digest": str(image)},
                "type": kind,
            },
            "optional": None,
        }
    )


def signature(signed: Sequence[tuple[bytes, bytes]]) -> Image:
    """The manifest under a `.sig` tag: a layer for each payload and its signature."""
    config = _json(
        {
            "architecture": "",
            "created": "0001-01-01T00:00:00Z",
            "history": [{"created": "0001-01-01T00:00:00Z"}],
            "os": "",
            "rootfs": {"type": "layers", "diff_ids": [str(sha256(one)) for one, _ in signed]},
            "config": {},
        }
    )
    layers = [
        {
            **_descriptor(SIMPLE_SIGNING, body),
            "annotations": {"dev.cosignproject.cosign/signature": _base64(written)},
        }
        for body, written in signed
    ]
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": _descriptor(OCI_CONFIG, config),
        "layers": layers,
    }
    return Image(OCI_MANIFEST, _json(manifest), config, tuple(body for body, _ in signed))


def signed(signer: Signer, image: Digest, reference: str = "") -> Image:
    """The `.sig` manifest of an image signed once."""
    body = payload(image, reference)
    return signature([(body, signer.sign(body))])


def sig_tag(image: Digest, ending: str = ".sig") -> str:
    """The tag that an image's signatures lie under."""
    return f"sha256-{image.hex}{ending}"


def statement(image: Digest, predicate: str = SIGN) -> bytes:
    """The in-toto statement that cosign 3 signs."""
    return _json(
        {
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{"digest": {"sha256": image.hex}, "annotations": {}}],
            "predicateType": predicate,
            "predicate": {},
        }
    )


def encoding(body: bytes, kind: str = "application/vnd.in-toto+json") -> bytes:
    """What a DSSE signature is over."""
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(body), body)


def bundle(signer: Signer, body: bytes, kind: str = "application/vnd.in-toto+json") -> bytes:
    """The bundle of a statement signed with a key."""
    return _json(
        {
            "mediaType": BUNDLE,
            "verificationMaterial": {"publicKey": {"hint": signer.hint}},
            "dsseEnvelope": {
                "payload": _base64(body),
                "payloadType": kind,
                "signatures": [{"sig": _base64(signer.sign(encoding(body, kind)))}],
            },
        }
    )


def bundle_referrer(subject: Image | Index, body: bytes, predicate: str = SIGN) -> Image:
    """The manifest that attaches a bundle to an image."""
    about = subject.descriptor()
    about.pop("platform", None)
    annotations = {
        "dev.sigstore.bundle.content": "dsse-envelope",
        "dev.sigstore.bundle.predicateType": predicate,
        "org.opencontainers.image.created": "2026-01-02T03:04:05Z",
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": BUNDLE,
        "config": _descriptor(OCI_EMPTY, b"{}"),
        "layers": [_descriptor(BUNDLE, body)],
        "subject": about,
        "annotations": annotations,
    }
    return Image(OCI_MANIFEST, _json(manifest), b"{}", (body,), "", annotations)


def bundled(signer: Signer, subject: Image | Index) -> Image:
    """The referrer of an image signed as cosign 3 does it."""
    return bundle_referrer(subject, bundle(signer, statement(subject.digest)))


def _descriptor(media_type: str, data: bytes) -> dict[str, object]:
    return {"mediaType": media_type, "size": len(data), "digest": str(sha256(data))}


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
