"""One question to a token server (the distribution project's token specification)."""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
from dataclasses import dataclass, field

from yarl import URL

from entrepot.errors import MirrorFailed, MirrorLied, MirrorSilent
from entrepot.upstream.body import read_body
from entrepot.upstream.refusal import read_reason, refusal
from entrepot.upstream.tokens import Token, TokenKey, read_token
from entrepot.upstream.transport import Transport

_LARGEST_ANSWER_BYTES = 256 << 10


@dataclass(frozen=True, slots=True)
class Login:
    """A name and password, as read just now."""

    username: str
    password: str = field(repr=False)

    def basic(self) -> str:
        """Write the Basic value of Authorization, in UTF-8 (RFC 7617)."""
        pair = f"{self.username}:{self.password}".encode()
        return "Basic " + base64.b64encode(pair).decode()


def token_url(key: TokenKey) -> URL:
    """Tell the url to GET; what the realm's own query says stays, scopes stand one by one."""
    query = [("service", key.service)] if key.service else []
    query += [("scope", scope) for scope in key.scope.split()]
    return URL(key.realm).with_fragment(None).extend_query(query)


class TokenServer:
    """Asks for tokens; `wait_s` bounds each question, because nobody's deadline covers it."""

    def __init__(self, transport: Transport, wait_s: float) -> None:
        self._transport = transport
        self._wait_s = wait_s

    async def ask(self, key: TokenKey, login: Login | None) -> Token:
        """GET one token. Whether the realm may be asked, and told `login`, is decided before.

        Redirects are not followed. AttemptError names the token server, never what was sent.
        """
        headers = {"Accept": "application/json"}
        if login is not None:
            headers["Authorization"] = login.basic()
        url = token_url(key)
        who = f"token server {url.host}"
        try:
            async with asyncio.timeout(self._wait_s):
                response = await self._transport.send("GET", url, headers)
                try:
                    body = await read_body(
                        response, limit=_LARGEST_ANSWER_BYTES, stall_s=self._wait_s
                    )
                finally:
                    response.close()
        except TimeoutError as error:
            raise MirrorSilent(f"{who} did not answer within {self._wait_s:g} s") from error
        if response.status == 404:  # which says nothing about the content
            raise MirrorFailed(f"{who} answered 404", status=404)
        if response.status != 200:
            secrets = () if login is None else (login.password, login.basic().partition(" ")[2])
            reason = read_reason(body, secrets)
            now = dt.datetime.now(dt.UTC)
            raise refusal(response.status, response.headers, reason, now, who=who)
        try:
            return read_token(body, asyncio.get_running_loop().time())
        except ValueError as error:
            raise MirrorLied(str(error)) from error
