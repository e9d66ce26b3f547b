"""Who may connect, how many, how slowly, and what they must prove."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import (
    BeforeValidator,
    PositiveInt,
    ValidationInfo,
    field_validator,
    model_validator,
)

from entrepot.config.addresses import Address, HostName, RegistryHost
from entrepot.config.credentials import EnvironmentName
from entrepot.config.frozen import Frozen, ReadableFile, SecretFile, surroundings
from entrepot.config.htpasswd import read_htpasswd
from entrepot.config.limits import unless_none
from entrepot.config.quantities import PositiveSeconds, parse_size


def _some_bytes(value: object) -> int:
    size = parse_size(value)
    if size == 0:
        raise ValueError("must be more than nothing")
    return size


class ClientSettings(Frozen):
    """What one client, or all of them together, may take of us; times in seconds."""

    connections: PositiveInt = 4096
    connections_per_address: Annotated[PositiveInt | None, BeforeValidator(unless_none)] = 1024
    head: PositiveSeconds = 30.0
    idle: PositiveSeconds = 75.0
    stall: PositiveSeconds = 60.0
    # Bytes a second, measured over a few MiB, on top of `stall`.
    slowest: Annotated[int, BeforeValidator(_some_bytes)] = 8 * 1024

    def patience_s(self, count: int) -> float:
        """Tell how long a client may take to read `count` bytes."""
        return self.stall + count / self.slowest


class TlsSettings(Frozen):
    """The certificate of a listener; with `client_ca` clients must show one as well."""

    certificate: ReadableFile
    key: SecretFile
    client_ca: ReadableFile | None = None

    @model_validator(mode="after")
    def _fit_together(self, info: ValidationInfo) -> TlsSettings:
        around = surroundings(info)
        if around is not None and around.secrets:
            try:
                self.context()
            except (OSError, ValueError) as error:  # its own words speak of libraries
                raise ValueError(
                    "certificate, key and client_ca must be PEM files without a passphrase, and"
                    " the key the certificate's"
                ) from error
        return self

    @property
    def files(self) -> tuple[Path, ...]:
        """Everything that `context` reads."""
        found = (self.certificate, self.key, self.client_ca)
        return tuple(file for file in found if file is not None)

    def context(self) -> ssl.SSLContext:
        """Read the files; OSError or ValueError when they do not do. Not on the event loop."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        # A passphrase would be asked for at the terminal, and nobody sits there.
        context.load_cert_chain(self.certificate, self.key, password=lambda: "")
        if self.client_ca is not None:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(self.client_ca)
        return context


class ListenSettings(Address):
    """A listener, and the registry meant by requests that name none (rules S-4, S-5)."""

    registry: RegistryHost | None = None
    tls: TlsSettings | None = None


class AdminSettings(Address):
    """The admin listener: where its token is, and by which names browsers may call it.

    Without a token here, one is made in the cache directory.
    """

    token_file: SecretFile | None = None
    token_env: EnvironmentName | None = None
    hosts: tuple[HostName, ...] = ()

    @property
    def near(self) -> str:
        """The host by which this machine itself reaches it, also when it listens everywhere."""
        return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104 - what is replaced

    @model_validator(mode="after")
    def _one_token(self) -> AdminSettings:
        if self.token_file is not None and self.token_env is not None:
            raise ValueError("only one of token_file and token_env can be meant")
        return self

    def token(self) -> str | None:
        """Read the token anew; None when none is configured. Reads the disk: not on the loop."""
        if self.token_env is not None:
            return os.environ[self.token_env]
        return self.token_file.read_text(encoding="utf-8").strip() if self.token_file else None


class AuthSettings(Frozen):
    """How clients say who they are; off unless `htpasswd` is given."""

    htpasswd: SecretFile | None = None
    required: bool = False

    @field_validator("htpasswd")
    @classmethod
    def _can_be_read(cls, file: Path | None, info: ValidationInfo) -> Path | None:
        around = surroundings(info)
        if file is not None and around is not None and around.secrets:
            cls(htpasswd=file).users()
        return file

    def users(self) -> Mapping[str, bytes]:
        """Read the file anew; OSError or ValueError. Not on the event loop."""
        return {} if self.htpasswd is None else read_htpasswd(self.htpasswd.read_text())
