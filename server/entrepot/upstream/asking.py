"""One mirror's questions: each in its turn, timed, counted, and blamed on the right host."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import structlog

from entrepot.config import MirrorSettings
from entrepot.errors import AttemptError
from entrepot.metrics import Metrics
from entrepot.upstream.authentication import Authenticator
from entrepot.upstream.blobanswer import BlobAnswer
from entrepot.upstream.gate import Gate, Slot
from entrepot.upstream.health import Health, Transition
from entrepot.upstream.heldup import held_up
from entrepot.upstream.hosts import Hosts
from entrepot.upstream.limits import Kind
from entrepot.upstream.passage import Passage
from entrepot.upstream.quota import QuotaWatch, parse_quota
from entrepot.upstream.request import Answer, Question, Requester
from entrepot.upstream.rests import Rests
from entrepot.upstream.transport import Transport

_EXPIRED = frozenset({400, 401, 403, 404, 410})
"""How blob stores answer a signed url whose time is over, or whose object has been moved since."""

log = structlog.get_logger(__name__)


class Asker:
    """What is known of the mirror itself is in `health`, of where it leads to in `hosts`.

    Every method may be cancelled at any time, and raises AttemptError and nothing else.
    """

    def __init__(
        self,
        registry: str,
        settings: MirrorSettings,
        gate: Gate,
        transport: Transport,
        authenticator: Authenticator,
        *,
        stall_s: float,
        metrics: Metrics | None = None,
    ) -> None:
        self._about = (registry, settings.name)
        self._metrics = metrics
        self.health = Health(lambda transition: self._note("", transition))
        self.hosts = Hosts(self._note)
        self.quota = QuotaWatch()
        self._rests = Rests()
        self._log = log.bind(registry=registry, mirror=settings.name)
        self._gate = gate
        self._requester = Requester(
            transport,
            authenticator,
            settings.headers,
            stall_s,
            hosts=self.hosts,
            repeated=lambda: gate.limits.asked(asyncio.get_running_loop().time()),
        )
        self.refusal = self._requester.refusal

    def ready_in(self, now: float, kind: Kind) -> float:
        """Tell the seconds until a question may be sent, by all that is known; 0 for now."""
        waits = [self.health.ready_in(now), self._gate.ready_in(kind, now)]
        if kind in {Kind.TAG, Kind.MANIFEST}:
            waits.append(self.quota.wait(now))
        return max(waits)

    def spent(self, now: float) -> bool:
        """Whether blobs are to come from others now, also what is on its way; see `Limits`."""
        return self._gate.limits.spent(now)

    @asynccontextmanager
    async def asking(self, question: Question) -> AsyncIterator[Answer]:
        """Ask; the answer's connection and our turn are given back at the end of the block."""
        pulls = question.method == "GET" and question.kind in {Kind.TAG, Kind.MANIFEST}
        if pulls and self.quota.wait(now := asyncio.get_running_loop().time()):
            raise self.quota.refusal(now, dt.datetime.now().astimezone())
        async with self._turn(question):
            answer = await self._send(question)
            try:
                yield answer
            except AttemptError as error:
                self._blame(answer, error)
                raise
            finally:
                answer.response.release()

    async def open(
        self, question: Question, judge: Callable[[Answer], BlobAnswer]
    ) -> tuple[Answer, BlobAnswer, Passage]:
        """Ask for a blob; the caller closes the answer's response and the passage.

        A redirect may be to a signed url that expired on the way: the first hop then has a new one
        (U-4). `judge` raises for a 200, 206 or 416 that cannot be what was asked for.
        """
        async with self._turn(question, stream=True) as slot:
            answer = await self._send(question)
            if _may_have_expired(answer):
                answer.response.close()
                self._gate.limits.asked(asyncio.get_running_loop().time())
                answer = await self._send(question)
            judged = await self._judged(answer, judge)
            passage = Passage(
                self._gate, slot.handed_on(), self.health, self.hosts, answer.elsewhere
            )
        return answer, judged, passage

    @asynccontextmanager
    async def _turn(self, question: Question, *, stream: bool = False) -> AsyncIterator[Slot]:
        """Wait for a turn, unless the mirror wants rest from such questions; hear how it ends."""
        loop = asyncio.get_running_loop()
        self._rests.check(question, loop.time())
        with held_up().counting():
            slot = await self._gate.enter(question.kind, stream=stream)
        try:
            self._rests.check(question, loop.time())
            yield slot
        except AttemptError as error:
            self._rests.see(question, error, loop.time())
            raise
        finally:
            slot.release()

    async def _judged(self, answer: Answer, judge: Callable[[Answer], BlobAnswer]) -> BlobAnswer:
        if answer.status not in {200, 206, 416}:
            refused = await self.refusal(answer)
            self._blame(answer, refused)
            raise refused
        try:
            return judge(answer)
        except AttemptError as error:
            answer.response.close()
            self._blame(answer, error)
            raise

    async def _send(self, question: Question) -> Answer:
        loop = asyncio.get_running_loop()
        asked_at = loop.time()
        answer = await self._requester.send(question)
        now = loop.time()
        kind = "blob" if question.kind is Kind.BLOB else "manifest"
        self.health.record_latency(now - asked_at, kind)
        if self._metrics is not None:
            self._metrics.answered(*self._about, kind, now - asked_at)
        quota = parse_quota(answer.first_headers)
        if quota is not None:
            self.quota.see(quota, now)
        if not answer.elsewhere:
            self._gate.limits.answered(answer.status, now)
        return answer

    def _blame(self, answer: Answer, error: AttemptError) -> None:
        if answer.elsewhere and not error.elsewhere:
            self.hosts.failed(answer.elsewhere, error)

    def _note(self, host: str, transition: Transition) -> None:
        where = {"host": host} if host else {}
        if transition.opened:
            if self._metrics is not None and not host:
                self._metrics.opened(*self._about)
            self._log.warning(
                "mirror.opened",
                **where,
                reason=transition.reason,
                seconds=transition.cool_down_s,
            )
        else:
            self._log.info("mirror.closed", **where)


def _may_have_expired(answer: Answer) -> bool:
    """Whether the first hop may have a better url: what it says itself, it has said (U-4)."""
    if answer.status in {400, 403}:
        return answer.redirected
    return bool(answer.elsewhere) and answer.status in _EXPIRED
