"""A token server of the docker kind, and the check of what it issued."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import parse_qs

from fakes.answer import Answer, oci_error

TokenField = Literal["token", "access_token"]


@dataclass(frozen=True, slots=True)
class Grant:
    """What one issued token may be used for, and until when on the loop's clock."""

    scopes: frozenset[str]
    expires_at: float


def basic(user: str, password: str) -> str:
    """The Authorization header of RFC 7617."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def basic_pair(authorization: str | None) -> tuple[str, str] | None:
    """User and password out of a Basic header; None for any other header."""
    scheme, _, encoded = (authorization or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return user, password


@dataclass(slots=True)
class TokenService:
    """Issues numbered tokens, remembers them, and forgets them all on demand.

    With `credentials` only those get a token; without, anybody does, unless they send a Basic
    header of their own, which is then refused: it was meant for somebody else.
    """

    service: str
    credentials: tuple[str, str] | None = None
    expires_in: int | None = 300
    token_field: TokenField = "token"
    issued: int = 0
    _grants: dict[str, Grant] = field(default_factory=dict)

    def challenge(self, realm: str, scope: str | None, error: str | None) -> Answer:
        """The 401 that sends a client to the token server."""
        told = [f'realm="{realm}"', f'service="{self.service}"']
        if scope is not None:
            told.append(f'scope="{scope}"')
        if error is not None:
            told.append(f'error="{error}"')
        headers = {"WWW-Authenticate": "Bearer " + ",".join(told)}
        return oci_error(401, "UNAUTHORIZED", "authentication required", headers)

    def issue(self, query: str, authorization: str | None, now: float) -> Answer:
        """Answer `GET /token?service=…&scope=…`."""
        asked = parse_qs(query)
        if basic_pair(authorization) != self.credentials:
            return oci_error(
                401, "UNAUTHORIZED", "wrong credentials", {"WWW-Authenticate": 'Basic realm="fake"'}
            )
        if asked.get("service") != [self.service]:
            return oci_error(400, "UNSUPPORTED", "no such service")
        self.issued += 1
        token = f"fake-token-{self.service}-{self.issued}"
        scopes = {scope for line in asked.get("scope", []) for scope in line.split()}
        lifetime = 60 if self.expires_in is None else self.expires_in
        self._grants[token] = Grant(frozenset(scopes), now + lifetime)
        body: dict[str, object] = {self.token_field: token}
        if self.expires_in is not None:
            body["expires_in"] = self.expires_in
        return Answer(200, json.dumps(body).encode(), {"Content-Type": "application/json"})

    def refusal(
        self, authorization: str | None, *, realm: str, scope: str | None, now: float
    ) -> Answer | None:
        """None when the bearer token covers `scope` now."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer":
            return self.challenge(realm, scope, None)
        grant = self._grants.get(token)
        if grant is None or grant.expires_at <= now:
            return self.challenge(realm, scope, "invalid_token")
        if scope is not None and scope not in grant.scopes:
            return self.challenge(realm, scope, "insufficient_scope")
        return None

    def expire_all(self) -> None:
        """Every token issued so far is refused from here on."""
        self._grants.clear()
