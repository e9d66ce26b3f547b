"""Bearer tokens: read from a token server's answer, kept until shortly before they expire."""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from entrepot.errors import AttemptError, MirrorUnreachable
from entrepot.tasks import TaskOwner

_DEFAULT_LIFETIME_S = 60.0
_LONGEST_MARGIN_S = 30.0
_MOST_TOKENS = 2048


@dataclass(frozen=True, slots=True)
class TokenKey:
    """What a token is good for. `user` is "" for anonymous: its tokens are nobody else's (P24)."""

    realm: str
    service: str
    scope: str
    user: str = ""


@dataclass(frozen=True, slots=True)
class Token:
    """A token and the loop time, in seconds, from which a new one is to be asked for."""

    value: str = field(repr=False)
    refresh_at: float


def read_token(body: bytes, received_at: float) -> Token:
    """Read a token server's answer; ValueError, without the body in it, when it has no token.

    The lifetime counts from `received_at`, loop time in seconds: the server's own clock may be
    anywhere (U-5). 60 s are assumed when none, or nonsense, is given.
    """
    try:
        answer: object = json.loads(body)
    except (ValueError, RecursionError):
        raise ValueError("the token server did not answer in JSON") from None
    fields = answer if isinstance(answer, dict) else {}
    value = fields.get("token") or fields.get("access_token")
    if not isinstance(value, str) or not (value.isascii() and value.isprintable()):
        raise ValueError("the token server's answer has no usable token in it")
    told = fields.get("expires_in")
    lifetime_s = _DEFAULT_LIFETIME_S
    if isinstance(told, int | float) and not isinstance(told, bool) and told > 0:
        lifetime_s = float(told)
    margin_s = min(lifetime_s / 10, _LONGEST_MARGIN_S)
    return Token(value, received_at + lifetime_s - margin_s)


class TokenCache:
    """Tokens by key, and one request at a time for each key (single flight).

    Fetching belongs to `owner`, not to a caller: one who is cancelled takes nothing with it.
    """

    def __init__(self, owner: TaskOwner) -> None:
        self._owner = owner
        self._tokens: dict[TokenKey, Token] = {}
        self._flights: dict[TokenKey, asyncio.Future[Token | AttemptError]] = {}

    def __len__(self) -> int:
        return len(self._tokens)

    def __repr__(self) -> str:
        return f"<TokenCache {len(self._tokens)} tokens, {len(self._flights)} being fetched>"

    def usable(self, key: TokenKey, now: float) -> Token | None:
        """Tell the kept token for `key` unless it is (almost) expired at `now`, loop time."""
        token = self._tokens.get(key)
        return token if token is not None and now < token.refresh_at else None

    def drop(self, key: TokenKey, token: Token) -> None:
        """Forget a token that was refused, unless a newer one has taken its place."""
        if self._tokens.get(key) is token:
            del self._tokens[key]

    async def fetch(self, key: TokenKey, ask: Callable[[], Coroutine[Any, Any, Token]]) -> Token:
        """Tell what the running request for `key`, or one made now by `ask`, brings.

        Raises the AttemptError that `ask` raised, to everybody who waited for it.
        """
        flight = self._flights.get(key)
        if flight is None:
            flight = asyncio.get_running_loop().create_future()
            try:
                task = self._owner.start(self._fly(key, flight, ask), name=f"token {key.scope}")
            except RuntimeError as error:
                raise MirrorUnreachable("this mirror's client is closing") from error
            self._flights[key] = flight
            task.add_done_callback(partial(self._landed, key, flight))
        outcome = await asyncio.shield(flight)
        if isinstance(outcome, AttemptError):
            raise copy.copy(outcome) from outcome
        return outcome

    async def _fly(
        self,
        key: TokenKey,
        flight: asyncio.Future[Token | AttemptError],
        ask: Callable[[], Coroutine[Any, Any, Token]],
    ) -> None:
        try:
            token = await ask()
        except AttemptError as error:
            flight.set_result(error)
        else:
            self._keep(key, token)
            flight.set_result(token)

    def _landed(
        self,
        key: TokenKey,
        flight: asyncio.Future[Token | AttemptError],
        task: asyncio.Task[None],  # noqa: ARG002 - how asyncio calls it
    ) -> None:
        """Free the waiters however the task ended; cancelled early, it never ran a line."""
        del self._flights[key]
        if not flight.done():
            flight.set_result(MirrorUnreachable("the token request was given up"))

    def _keep(self, key: TokenKey, token: Token) -> None:
        self._tokens.pop(key, None)
        while len(self._tokens) >= _MOST_TOKENS:
            del self._tokens[next(iter(self._tokens))]
        self._tokens[key] = token
