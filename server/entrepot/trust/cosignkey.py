"""The public half of a key that cosign signs with, and whether it signed something."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

_SMALLEST_RSA_BITS = 2048
_HASHES: dict[str, tuple[hashes.HashAlgorithm, ...]] = {
    "secp256r1": (hashes.SHA256(),),
    # cosign hashed with SHA-256 whatever the curve, until keys began to say their algorithm.
    "secp384r1": (hashes.SHA384(), hashes.SHA256()),
    "secp521r1": (hashes.SHA512(), hashes.SHA256()),
}

_Key: TypeAlias = ec.EllipticCurvePublicKey | Ed25519PublicKey | RSAPublicKey


@dataclass(frozen=True, slots=True)
class CosignKey:
    """One public key; `name` is for messages. Made only by `parse`."""

    name: str
    key: _Key

    @classmethod
    def parse(cls, pem: bytes, name: str) -> CosignKey:
        """Read a PEM file such as cosign.pub: ECDSA, Ed25519, or RSA of 2048 bits and more.

        ValueError, with a reason for people, for anything else.
        """
        if b"PRIVATE KEY" in pem:
            raise ValueError("this is a private key: give the public one, cosign.pub")
        try:
            key = load_pem_public_key(pem)
        except (ValueError, UnsupportedAlgorithm) as error:
            raise ValueError("not a public key in PEM form, as cosign.pub is") from error
        match key:
            case Ed25519PublicKey():
                return cls(name, key)
            case ec.EllipticCurvePublicKey() if key.curve.name in _HASHES:
                return cls(name, key)
            case RSAPublicKey() if key.key_size >= _SMALLEST_RSA_BITS:
                return cls(name, key)
            case _:
                raise ValueError(
                    "not a key that is accepted: use ECDSA on P-256, P-384 or P-521, Ed25519,"
                    f" or RSA of {_SMALLEST_RSA_BITS} bits and more"
                )

    def signed(self, signature: bytes, data: bytes) -> bool:
        """Whether `signature` is this key's, over `data`; takes a tenth of a millisecond."""
        if isinstance(self.key, ec.EllipticCurvePublicKey):
            schemes = _HASHES[self.key.curve.name]
            return any(_signed(self.key, signature, data, scheme) for scheme in schemes)
        return _signed(self.key, signature, data, hashes.SHA256())


def _signed(key: _Key, signature: bytes, data: bytes, scheme: hashes.HashAlgorithm) -> bool:
    try:
        match key:
            case Ed25519PublicKey():
                key.verify(signature, data)
            case RSAPublicKey():
                key.verify(signature, data, padding.PKCS1v15(), scheme)
            case ec.EllipticCurvePublicKey():
                key.verify(signature, data, ec.ECDSA(scheme))
    except InvalidSignature:
        return False
    return True
