"""A Sigstore of our own: its authority, its two logs, and bundles that it has had a hand in.

Everything is in the public formats: RFC 6962 (timestamps of certificates, inclusion proofs), the
signed notes of transparency.dev (checkpoints), Rekor's `dsse` 0.0.1 entries, bundle version 0.3.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
import struct
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from fakes.cosign import BUNDLE, encoding

_ISSUER = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.8")
_TIMESTAMPS = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
_NOW = dt.datetime.now(dt.UTC).replace(microsecond=0)
_MINUTES = dt.timedelta(minutes=10)


def _key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@dataclass(frozen=True, slots=True)
class FakeSigstore:
    """One instance; `bundle` signs as somebody whom an identity provider knows."""

    authority: ec.EllipticCurvePrivateKey = field(default_factory=_key)
    certificates_log: ec.EllipticCurvePrivateKey = field(default_factory=_key)
    rekor: ec.EllipticCurvePrivateKey = field(default_factory=_key)

    @property
    def trusted_root(self) -> bytes:
        """What verifiers are given once."""
        ca = self._ca().public_bytes(Encoding.DER)
        valid = {"start": (_NOW - _MINUTES).isoformat().replace("+00:00", "Z")}
        return _json(
            {
                "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
                "tlogs": [_log("https://rekor.invalid", self.rekor, valid)],
                "certificateAuthorities": [
                    {
                        "subject": {"organization": "fake", "commonName": "fake"},
                        "uri": "https://fulcio.invalid",
                        "certChain": {"certificates": [{"rawBytes": _b64(ca)}]},
                        "validFor": valid,
                    }
                ],
                "ctlogs": [_log("https://ct.invalid", self.certificates_log, valid)],
                "timestampAuthorities": [],
            }
        )

    def bundle(self, body: bytes, identity: str, issuer: str) -> bytes:
        """A bundle of `body`, signed, certified, and entered into the log."""
        key = _key()
        certificate = self._certificate(key, identity, issuer)
        signature = _sign(key, encoding(body))
        verifier = certificate.public_bytes(Encoding.PEM)
        entry = _json(
            {
                "apiVersion": "0.0.1",
                "kind": "dsse",
                "spec": {
                    "envelopeHash": {"algorithm": "sha256", "value": "0" * 64},
                    "payloadHash": {
                        "algorithm": "sha256",
                        "value": hashlib.sha256(body).hexdigest(),
                    },
                    "signatures": [{"signature": _b64(signature), "verifier": _b64(verifier)}],
                },
            }
        )
        return _json(
            {
                "mediaType": BUNDLE,
                "verificationMaterial": {
                    "certificate": {"rawBytes": _b64(certificate.public_bytes(Encoding.DER))},
                    "tlogEntries": [self._entered(entry)],
                },
                "dsseEnvelope": {
                    "payload": _b64(body),
                    "payloadType": "application/vnd.in-toto+json",
                    "signatures": [{"sig": _b64(signature)}],
                },
            }
        )

    def _entered(self, entry: bytes) -> dict[str, object]:
        """The only entry of the log, with its proof."""
        root = hashlib.sha256(b"\0" + entry).digest()
        log_id = _id(self.rekor)
        note = f"rekor.invalid - 1\n1\n{_b64(root)}\n"
        seal = _b64(log_id[:4] + _sign(self.rekor, note.encode()))
        at = int(_NOW.timestamp())
        promise = {"body": _b64(entry), "integratedTime": at, "logID": log_id.hex(), "logIndex": 0}
        return {
            "logIndex": "0",
            "logId": {"keyId": _b64(log_id)},
            "kindVersion": {"kind": "dsse", "version": "0.0.1"},
            "integratedTime": str(at),
            "inclusionPromise": {"signedEntryTimestamp": _b64(_sign(self.rekor, _json(promise)))},
            "inclusionProof": {
                "logIndex": "0",
                "rootHash": _b64(root),
                "treeSize": "1",
                "hashes": [],
                "checkpoint": {"envelope": f"{note}\n\u2014 rekor.invalid {seal}\n"},
            },
            "canonicalizedBody": _b64(entry),
        }

    def _ca(self) -> x509.Certificate:
        key = self.authority.public_key()
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        return (
            _named(x509.CertificateBuilder(), "fake authority", "fake authority")
            .public_key(key)
            .serial_number(1)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .sign(self.authority, hashes.SHA256())
        )

    def _certificate(
        self, key: ec.EllipticCurvePrivateKey, identity: str, issuer: str
    ) -> x509.Certificate:
        authority = self.authority.public_key()
        usage = x509.KeyUsage(True, False, False, False, False, False, False, False, False)
        purpose = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING])
        name: x509.GeneralName = (
            x509.UniformResourceIdentifier(identity)
            if "://" in identity
            else x509.RFC822Name(identity)
        )
        written = issuer.encode()
        issued = x509.UnrecognizedExtension(_ISSUER, b"\x0c" + bytes([len(written)]) + written)
        keyed = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority)
        draft = (
            _named(x509.CertificateBuilder(), "", "fake authority")
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .add_extension(usage, critical=True)
            .add_extension(purpose, critical=False)
            .add_extension(keyed, critical=False)
            .add_extension(x509.SubjectAlternativeName([name]), critical=True)
            .add_extension(issued, critical=False)
        )
        seen = self._seen(draft.sign(self.authority, hashes.SHA256()).tbs_certificate_bytes)
        return draft.add_extension(
            x509.UnrecognizedExtension(_TIMESTAMPS, seen), critical=False
        ).sign(self.authority, hashes.SHA256())

    def _seen(self, draft: bytes) -> bytes:
        """The timestamp that a log gave for a certificate that is to be (RFC 6962 section 3.2)."""
        at = int(_NOW.timestamp() * 1000)
        public = self.authority.public_key()
        entry = hashlib.sha256(_der(public)).digest() + len(draft).to_bytes(3, "big") + draft
        signed = struct.pack("!BBQH", 0, 0, at, 1) + entry + b"\0\0"
        signature = _sign(self.certificates_log, signed)
        one = struct.pack("!B32sQHBBH", 0, _id(self.certificates_log), at, 0, 4, 3, len(signature))
        one += signature
        listed = struct.pack("!HH", len(one) + 2, len(one)) + one
        return (
            b"\x04"
            + (bytes([len(listed)]) if len(listed) < 128 else b"\x81%c" % len(listed))
            + listed
        )


def _named(builder: x509.CertificateBuilder, subject: str, issuer: str) -> x509.CertificateBuilder:
    def name(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)] if text else [])

    named = builder.subject_name(name(subject)).issuer_name(name(issuer))
    return named.not_valid_before(_NOW - _MINUTES).not_valid_after(_NOW + _MINUTES)


def _log(url: str, key: ec.EllipticCurvePrivateKey, valid: dict[str, str]) -> dict[str, object]:
    return {
        "baseUrl": url,
        "hashAlgorithm": "SHA2_256",
        "publicKey": {
            "rawBytes": _b64(_der(key.public_key())),
            "keyDetails": "PKIX_ECDSA_P256_SHA_256",
            "validFor": valid,
        },
        "logId": {"keyId": _b64(_id(key))},
    }


def _der(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _id(key: ec.EllipticCurvePrivateKey) -> bytes:
    return hashlib.sha256(_der(key.public_key())).digest()


def _sign(key: ec.EllipticCurvePrivateKey, data: bytes) -> bytes:
    return key.sign(data, ec.ECDSA(hashes.SHA256()))


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
