"""Which images have to be signed, and by whom, as the settings file writes it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, BeforeValidator, ValidationInfo, model_validator

from entrepot.config.frozen import Frozen, ReadableFile, surroundings

if TYPE_CHECKING:
    from entrepot.trust.cosignkey import CosignKey
    from entrepot.trust.cosignkeyless import KeylessSigner

_REPOSITORIES = re.compile(r"[a-z0-9._/*-]+")
_NAMES = re.compile(r"[a-zA-Z0-9._:/*-]+")


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _check_repositories(text: str) -> str:
    if not _REPOSITORIES.fullmatch(text):
        raise ValueError("not repositories: write team/app, or team/*, where * is anything")
    return text


def _check_name(text: str) -> str:
    if not _NAMES.fullmatch(text):
        raise ValueError("not the name of an image: write quay.io/team/app, or quay.io/team/*")
    return text


def _check_key(path: Path, info: ValidationInfo) -> Path:
    if surroundings(info) is not None:
        read_key(path)
    return path


def read_key(path: Path) -> CosignKey:
    """Read a public key; ValueError when the file cannot be read or is none. Not on the loop."""
    from entrepot.trust.cosignkey import CosignKey  # noqa: PLC0415 - cryptography is slow to import

    try:
        return CosignKey.parse(path.read_bytes(), path.name)
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from error


KeyFile = Annotated[ReadableFile, AfterValidator(_check_key)]


class KeylessSettings(Frozen):
    """Signers without keys of their own: who they are, by whose word, and whom that rests on.

    `trusted_root` is Sigstore's file of that name; nothing is asked of the network.
    """

    trusted_root: ReadableFile
    identity: str
    issuer: str

    @model_validator(mode="after")
    def _can_be_proved(self, info: ValidationInfo) -> KeylessSettings:
        if surroundings(info) is not None:
            _ = self.signer()
        return self

    def signer(self) -> KeylessSigner:
        """Read the file; ValueError when it is no trusted root. Not on the event loop."""
        from entrepot.trust.cosignkeyless import KeylessSigner  # noqa: PLC0415 - as above

        return KeylessSigner.of(self.trusted_root, self.identity, self.issuer)


class VerifyRule(Frozen):
    """What the images of some repositories must prove; of several rules the first counts."""

    # Patterns, where * is anything, also a /.
    repository: Annotated[str, AfterValidator(_check_repositories)] = "*"
    # Public keys, any of which will do.
    cosign: Annotated[tuple[KeyFile, ...], BeforeValidator(_as_list)] = ()
    keyless: KeylessSettings | None = None
    # Names, beside its own, that an image may have been signed under.
    signed_as: Annotated[
        tuple[Annotated[str, AfterValidator(_check_name)], ...], BeforeValidator(_as_list)
    ] = ()
    # True: what is wrong is told in the log, and served.
    warn: bool = False
    # True: nothing is asked of these.
    unsigned: bool = False

    @model_validator(mode="after")
    def _asks_something(self) -> VerifyRule:
        asks = bool(self.cosign) or self.keyless is not None
        if asks and self.unsigned:
            raise ValueError("either keys (cosign, keyless) or `unsigned: true`, not both")
        if not asks and not self.unsigned:
            raise ValueError("whose signature? give cosign: [cosign.pub], or `unsigned: true`")
        return self

    @property
    def any_name(self) -> bool:
        """Whether the name that an image was signed under does not matter."""
        return "*" in self.signed_as
