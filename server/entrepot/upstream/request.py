"""One logical request to a mirror: redirects by hand, tokens where asked for (U-3, U-5)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import aiohttp
from yarl import URL

from entrepot.errors import AttemptError, MirrorFailed, MirrorLied
from entrepot.upstream.authentication import Authenticator, Grant, Place
from entrepot.upstream.body import read_body
from entrepot.upstream.challenge import parse_challenges
from entrepot.upstream.hosts import Hosts
from entrepot.upstream.limits import Kind
from entrepot.upstream.redirects import MOST_HOPS, STATUSES, next_hop, same_origin
from entrepot.upstream.refusal import EXCERPT_BYTES, read_reason, refusal
from entrepot.upstream.transport import Transport

_MOST_TRIES = 3  # without a token, with one from the cache, with a new one


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked; `url` is on the mirror, `scope` is the token scope to fall back on.

    `headers` go along to every hop: nothing secret in them.
    """

    method: str
    url: URL
    scope: str
    headers: Mapping[str, str]
    kind: Kind = Kind.LIST


@dataclass(frozen=True, slots=True)
class Answer:
    """The first response that is no redirect. Whoever holds it closes `response`.

    `elsewhere` is the host and port it comes from when that is not the mirror's own origin.
    """

    response: aiohttp.ClientResponse
    hops: int
    first_headers: Mapping[str, str]
    elsewhere: str = ""

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.response.status

    @property
    def redirected(self) -> bool:
        """Whether it comes from another url than the one that was asked."""
        return self.hops > 0


class Requester:
    """Sends questions to one mirror. Every method may be cancelled at any time."""

    def __init__(
        self,
        transport: Transport,
        authenticator: Authenticator,
        own_headers: Mapping[str, str],
        stall_s: float,
        *,
        hosts: Hosts,
        repeated: Callable[[], None],
    ) -> None:
        """`own_headers` are the settings' and go to the mirror's own origin only (P25).

        `repeated` is called for each further request that a question costs the mirror.
        """
        self._transport = transport
        self._authenticator = authenticator
        self._own_headers = own_headers
        self._stall_s = stall_s
        self._hosts = hosts
        self._repeated = repeated

    async def send(self, question: Question) -> Answer:
        """Tell the answer, of whatever status, after redirects and the token flow.

        The method is kept on every hop. AttemptError when there is no answer; its `elsewhere` says
        whose fault that is, and a host that failed lately is not asked at all.
        """
        place = Place(question.url, question.scope, own=True)
        first_headers: Mapping[str, str] | None = None
        for hops in range(MOST_HOPS + 1):
            elsewhere = "" if place.own else _host_and_port(place.url)
            if elsewhere:
                response = await self._asked_elsewhere(elsewhere, question, place)
            else:
                if hops:
                    self._repeated()
                response = await self._authenticated(question, place)
            if first_headers is None:
                first_headers = response.headers
            location = response.headers.get("Location")
            if response.status not in STATUSES or location is None:
                return Answer(response, hops, first_headers, elsewhere)
            response.release()
            try:
                target = next_hop(place.url, location)
            except ValueError as error:
                raise MirrorLied(str(error), status=response.status) from error
            own = place.own and same_origin(place.url, target)
            place = Place(target, question.scope, own)
        raise MirrorFailed(f"redirects more than {MOST_HOPS} times")

    async def refusal(self, answer: Answer) -> AttemptError:
        """Tell what an answer that is no success means, and close it."""
        response = answer.response
        who = (response.url.host or "") if answer.redirected else ""
        reason = ""
        try:
            if response.method != "HEAD" and "json" in response.content_type:
                body = await read_body(response, limit=EXCERPT_BYTES, stall_s=self._stall_s)
                sent = response.request_info.headers.get("Authorization", "")
                secrets = (
                    *await self._authenticator.secrets(),
                    *self._own_headers.values(),
                    sent.partition(" ")[2],
                )
                reason = read_reason(body, secrets)
        except AttemptError:
            reason = ""  # the status says enough
        finally:
            response.release()
        now = dt.datetime.now(dt.UTC)
        return refusal(response.status, response.headers, reason, now, who=who)

    async def _asked_elsewhere(
        self, host: str, question: Question, place: Place
    ) -> aiohttp.ClientResponse:
        self._hosts.admit(host, question.url.raw_path)
        try:
            with self._hosts.waiting(host):
                response = await self._authenticated(question, place)
        except AttemptError as error:
            self._hosts.failed(host, error)
            raise
        if response.status < 500:
            self._hosts.answered(host)
        return response

    async def _authenticated(self, question: Question, place: Place) -> aiohttp.ClientResponse:
        grant = await self._authenticator.recall(place)
        tries = 1
        while True:
            headers = self._headers(question, place, grant)
            response = await self._transport.send(question.method, place.url, headers)
            if response.status not in {401, 403} or tries == _MOST_TRIES:
                return response
            challenges = parse_challenges(response.headers.getall("WWW-Authenticate", ()))
            try:
                better = await self._authenticator.answer(place, response.status, challenges, grant)
            except BaseException:
                response.close()
                raise
            if better is None:
                return response
            response.release()
            grant = better
            tries += 1
            if place.own:
                self._repeated()

    def _headers(self, question: Question, place: Place, grant: Grant | None) -> Mapping[str, str]:
        headers = dict(self._own_headers) if place.own else {}
        headers.update(question.headers)
        if grant is not None:
            headers["Authorization"] = grant.header
        return headers


def _host_and_port(url: URL) -> str:
    return (url.host or "") if url.is_default_port() else f"{url.host}:{url.port}"
