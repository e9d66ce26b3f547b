"""Signers who show a certificate: proved by the library of the Sigstore project, without network.

It is heavy (a fifth of a second to import, some 30 MB), so only who uses it pays for it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.x509 import (
    Certificate,
    RFC822Name,
    SubjectAlternativeName,
    UniformResourceIdentifier,
)

from entrepot.trust.cosignbundle import IN_TOTO

if TYPE_CHECKING:
    from sigstore.verify import Verifier


@dataclass(frozen=True, slots=True)
class KeylessSigner:
    """Somebody whom `issuer` calls `identity`, where * is anything. Made by `of`."""

    identity: str
    issuer: str
    verifier: Verifier

    @classmethod
    def of(cls, trusted_root: Path, identity: str, issuer: str) -> KeylessSigner:
        """Read Sigstore's trusted_root.json; ValueError when it is none, or the library is missing.

        Takes a moment: not on the event loop.
        """
        try:
            from sigstore.errors import Error  # noqa: PLC0415 - heavy
            from sigstore.models import TrustedRoot  # noqa: PLC0415
            from sigstore.verify import Verifier  # noqa: PLC0415
        except ImportError as error:
            told = "keyless needs a library more: pip install 'entrepot[keyless]'"
            raise ValueError(told) from error
        try:
            root = TrustedRoot.from_file(str(trusted_root))
            return cls(identity, issuer, Verifier(trusted_root=root))
        except (OSError, ValueError, Error) as error:
            raise ValueError(f"{trusted_root.name} is no trusted_root.json of Sigstore") from error

    def __str__(self) -> str:
        return f"{self.identity}, by the word of {self.issuer}"

    def payload(self, bundle: bytes) -> bytes:
        """Give what was signed; ValueError, with a reason, unless the right one signed it."""
        from sigstore.models import Bundle  # noqa: PLC0415

        try:
            kind, payload = self.verifier.verify_dsse(Bundle.from_json(bundle), self)
        except Exception as error:  # whatever a bundle makes it stumble over, it has not proved it
            reason = f"{type(error).__name__}: {error}"[:300]
            raise ValueError(f"not proved to be signed by {self} ({reason})") from error
        if kind != IN_TOTO:
            raise ValueError(f"the bundle holds {kind!r:.100}, not {IN_TOTO}")
        return bytes(payload)

    def verify(self, cert: Certificate) -> None:
        """Be the library's policy: raise its VerificationError for another's certificate."""
        from sigstore.errors import VerificationError  # noqa: PLC0415
        from sigstore.verify.policy import AnyOf, OIDCIssuer, OIDCIssuerV2  # noqa: PLC0415

        # Two extensions say the same; older certificates have the first only.
        AnyOf([OIDCIssuerV2(self.issuer), OIDCIssuer(self.issuer)]).verify(cert)
        names = cert.extensions.get_extension_for_class(SubjectAlternativeName).value
        called = [
            *names.get_values_for_type(UniformResourceIdentifier),
            *names.get_values_for_type(RFC822Name),
        ]
        looks = re.compile(re.escape(self.identity).replace(r"\*", ".*"))
        if not any(looks.fullmatch(one) for one in called):
            raise VerificationError(f"signed by {', '.join(called) or 'nobody'}")
