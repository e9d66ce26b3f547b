"""Public keys of every kind that cosign makes, and what is none of them."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from entrepot.trust.cosignkey import CosignKey
from fakes.cosign import Kind, Signer

KINDS: list[Kind] = ["p256", "p384", "p521", "ed25519", "rsa"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_key_knows_what_it_signed(kind: Kind) -> None:
    signer, other = Signer.make(kind), Signer.make(kind)
    key = CosignKey.parse(signer.pem, "cosign.pub")
    good = signer.sign(b"payload")
    assert key.signed(good, b"payload")
    assert not key.signed(good, b"Payload")
    assert not key.signed(good[:-1] + bytes([good[-1] ^ 1]), b"payload")
    assert not key.signed(other.sign(b"payload"), b"payload")
    assert not key.signed(b"", b"payload")


@pytest.mark.parametrize(
    ("kind", "scheme"), [("p384", hashes.SHA384()), ("p521", hashes.SHA512())], ids=["384", "521"]
)
def test_longer_curves_hash_as_newer_cosign_does_too(
    kind: Kind, scheme: hashes.HashAlgorithm
) -> None:
    signer = Signer.make(kind)
    assert CosignKey.parse(signer.pem, "k").signed(signer.sign(b"x", scheme), b"x")


def test_a_weak_hash_does_not_count() -> None:
    signer = Signer.make("rsa")
    assert not CosignKey.parse(signer.pem, "k").signed(signer.sign(b"x", hashes.SHA1()), b"x")


def _spki(key: ec.EllipticCurvePublicKey | dsa.DSAPublicKey) -> bytes:
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize(
    ("pem", "problem"),
    [
        (b"", "not a public key"),
        (b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "not a public key"),
        (b"-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\nAAAA", "private key"),
        (Signer.make("rsa", bits=1024).pem, "not a key that is accepted"),
        (_spki(ec.generate_private_key(ec.SECP256K1()).public_key()), "not a key that is accepted"),
    ],
    ids=["nothing", "broken", "private", "short RSA", "another curve"],
)
def test_other_files_are_refused_with_a_reason(pem: bytes, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        CosignKey.parse(pem, "cosign.pub")
