"""The Authorization header for each request of one mirror, and where it comes from (U-5, U-6)."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from yarl import URL

from entrepot.config import MirrorSettings
from entrepot.errors import MirrorDenied
from entrepot.upstream.challenge import Challenge
from entrepot.upstream.realm import may_be_asked, may_be_told
from entrepot.upstream.tokens import Token, TokenCache, TokenKey
from entrepot.upstream.tokenserver import Login, TokenServer

_MOST_REMEMBERED = 2048


@dataclass(frozen=True, slots=True)
class Grant:
    """A value for Authorization. `token` and `key` are None for Basic.

    `fresh` tells that it was fetched for this very request: when it is refused, a newer one would
    be refused too.
    """

    header: str = field(repr=False)
    key: TokenKey | None = None
    token: Token | None = None
    fresh: bool = True


@dataclass(frozen=True, slots=True)
class Memory:
    """Where a challenge was met. Redirected back to the mirror, we come as strangers: not `own`."""

    origin: str
    own: bool
    scope: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where a request goes: `url`, the token `scope` it needs, whether it is still the mirror's.

    `own` is True from the mirror's url on until a redirect leaves its origin, and never again
    after: nothing of ours is sent to a place that is not our own (P25).
    """

    url: URL
    scope: str
    own: bool

    def memory(self, *, any_scope: bool = False) -> Memory:
        """Tell under what a challenge met here is remembered."""
        return Memory(str(self.url.origin()), self.own, "" if any_scope else self.scope)


class Authenticator:
    """Remembers what each host asked for, so that later requests bring it along at once.

    Credentials are looked up anew for every token and every Basic header, on a thread.
    """

    def __init__(self, settings: MirrorSettings, server: TokenServer, cache: TokenCache) -> None:
        self._settings = settings
        self._mirror = URL(settings.url)
        self._server = server
        self._cache = cache
        self._remembered: OrderedDict[Memory, TokenKey | None] = OrderedDict()

    async def recall(self, place: Place) -> Grant | None:
        """Tell what `place` is known to want; None when nothing, or nothing is known.

        May ask a token server, and raises what that raises.
        """
        for memory in (place.memory(), place.memory(any_scope=True)):
            if memory not in self._remembered:
                continue
            key = self._remembered[memory]
            if key is None:
                return await self._basic()
            if not memory.scope:
                key = replace(key, scope=place.scope)
            return await self._bearer(place, key)
        return None

    async def answer(
        self, place: Place, status: int, challenges: Sequence[Challenge], spent: Grant | None
    ) -> Grant | None:
        """Tell with what to repeat a request that was answered 401 or 403; None: with nothing.

        A token from the cache that was refused is dropped and fetched anew, once (P24); a scope
        that was called insufficient is asked for (RFC 6750, 3.1). MirrorDenied when the challenge
        names a token server that must not be asked.
        """
        stale = spent is not None and not spent.fresh
        if stale and spent is not None and spent.key is not None and spent.token is not None:
            self._cache.drop(spent.key, spent.token)
        for challenge in challenges:
            if challenge.scheme != "bearer" or not challenge.get("realm"):
                continue
            key = await self._key(place, challenge)
            if spent is not None and spent.fresh:
                refused_for_good = status == 403 and not _insufficient(challenge)
                if spent.key == key or refused_for_good:
                    return None
            self._remember(place, challenge, key)
            return await self._bearer(place, key)
        if stale and spent is not None and spent.key is not None:
            return await self._bearer(place, spent.key)
        basic = any(challenge.scheme == "basic" for challenge in challenges)
        if status == 401 and basic and place.own and spent is None:
            self._store(place.memory(any_scope=True), None)
            return await self._basic()
        return None

    @property
    def token_servers(self) -> tuple[str, ...]:
        """Name the token servers that challenges led to, each once."""
        keys = (key for key in self._remembered.values() if key is not None)
        return tuple(dict.fromkeys(key.realm for key in keys))

    async def secrets(self) -> tuple[str, ...]:
        """Tell what must not be repeated in a message."""
        login = await self._login()
        return () if login is None else (login.password,)

    async def _key(self, place: Place, challenge: Challenge) -> TokenKey:
        """Check the realm of a challenge; MirrorDenied when it may not be asked (P22)."""
        realm_text = challenge.get("realm")
        try:
            realm = URL(realm_text)
            allowed = may_be_asked(realm, place.url, self._settings.realms if place.own else ())
        except ValueError:
            raise MirrorDenied("names a token server that is no url", status=401) from None
        if not allowed:
            raise MirrorDenied(
                f"names a token server that must not be asked: {realm.host or realm_text[:80]}",
                status=401,
            )
        user = ""
        if place.own and self._settings.credentials is not None:
            if not may_be_told(realm, self._mirror, self._settings.realms):
                raise MirrorDenied(
                    f"wants the credentials sent to {realm.host}; if that is right, add this host"
                    " to the mirror's realms",
                    status=401,
                )
            login = await self._login()
            user = login.username if login else ""
        scope = challenge.get("scope") or place.scope
        return TokenKey(str(realm), challenge.get("service"), scope, user)

    def _remember(self, place: Place, challenge: Challenge, key: TokenKey) -> None:
        self._store(place.memory(), key)
        if challenge.get("scope") in {"", place.scope}:
            # It names scopes as we do: the next repository needs no 401 first.
            self._store(place.memory(any_scope=True), key)

    def _store(self, memory: Memory, key: TokenKey | None) -> None:
        self._remembered[memory] = key
        self._remembered.move_to_end(memory)
        if len(self._remembered) > _MOST_REMEMBERED:
            self._remembered.popitem(last=False)

    async def _bearer(self, place: Place, key: TokenKey) -> Grant:
        token = self._cache.usable(key, asyncio.get_running_loop().time())
        fresh = token is None
        if token is None:
            login = await self._login() if place.own and key.user else None
            token = await self._cache.fetch(key, partial(self._server.ask, key, login))
        return Grant(f"Bearer {token.value}", key, token, fresh)

    async def _basic(self) -> Grant | None:
        login = await self._login()
        return None if login is None else Grant(login.basic())

    async def _login(self) -> Login | None:
        credentials = self._settings.credentials
        if credentials is None:
            return None
        try:
            return await asyncio.to_thread(
                lambda: Login(credentials.username, credentials.password)
            )
        except (OSError, KeyError, ValueError) as error:
            raise MirrorDenied("this mirror's credentials cannot be read any more") from error


def _insufficient(challenge: Challenge) -> bool:
    return challenge.get("error").lower() == "insufficient_scope"
