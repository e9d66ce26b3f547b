"""From the settings to the rules that signatures are held against."""

from __future__ import annotations

from collections.abc import Mapping

from entrepot.config.settings import RegistrySettings
from entrepot.config.signatures import VerifyRule, read_key
from entrepot.trust.cosign import SignatureRule, SignatureTable


def signature_table(registries: Mapping[str, RegistrySettings]) -> SignatureTable:
    """Read the keys and make the rules. Reads files: not on the event loop.

    ValueError when a file is not what it was when the settings were checked.
    """
    return SignatureTable(
        {name: tuple(map(_rule, one.verify)) for name, one in registries.items() if one.verify},
        {name: one.aliases for name, one in registries.items() if one.aliases},
    )


def _rule(written: VerifyRule) -> tuple[str, SignatureRule]:
    return written.repository, SignatureRule(
        keys=tuple(map(read_key, written.cosign)),
        signed_as=None if written.any_name else written.signed_as,
        keyless=written.keyless.signer() if written.keyless is not None else None,
        warn=written.warn,
    )
