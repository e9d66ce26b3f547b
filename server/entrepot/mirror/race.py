"""Ask mirrors in order; one that stays silent is overtaken by the next, the first answer wins."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import structlog

from entrepot.errors import (
    AllFailed,
    AllThrottled,
    Attempt,
    AttemptError,
    Exhausted,
    MirrorNotFound,
    MirrorOffline,
    MirrorSilent,
    MirrorThrottled,
    MirrorUnreachable,
    Offline,
)
from entrepot.metrics import Metrics
from entrepot.mirror.registry import AskingOrder
from entrepot.oci.reference import RepositoryName
from entrepot.upstream.gate import BUSY_S
from entrepot.upstream.heldup import HeldUp
from entrepot.upstream.limits import Kind
from entrepot.upstream.mirror import MirrorClient

T = TypeVar("T")

LAST_RESORT_PATIENCE_S = 5.0
"""How long mirrors with an open breaker may take when everybody else has failed already."""

HEDGE_SHARE = 0.95
"""A mirror slower than in so large a share of its latest answers is overtaken early."""
SHORTEST_PATIENCE_S = 0.05

log = structlog.get_logger(__name__)


OWNERS = frozenset(
    {
        "registry.k8s.io",
        "registry-1.docker.io",
        "mirror.gcr.io",
        "quay.io",
        "ghcr.io",
        "gcr.io",
        "mcr.microsoft.com",
    }
)
"""The mirrors of the built-in settings: the registries themselves, and Google's copy of one."""
_OUT_OF_REACH = frozenset({MirrorUnreachable.outcome, MirrorSilent.outcome})
_CLOSED_NETWORK = (
    ". Nothing but the registry itself is in the settings, and it cannot be reached from here:"
    " `--preset china` is for networks that block it"
)


@dataclass(frozen=True, slots=True)
class Won(Generic[T]):
    """The first answer, who gave it, and how those asked before it ended."""

    mirror: MirrorClient
    answer: T
    attempts: tuple[Attempt, ...]


def attempt_of(
    mirror: MirrorClient, repository: RepositoryName, error: AttemptError, elapsed_s: float
) -> Attempt:
    """`error` as the line a person reads in the error's `detail` (P31)."""
    return Attempt(
        mirror=mirror.name,
        repository=mirror.upstream_name(repository),
        outcome=error.outcome,
        message=str(error),
        status=error.status,
        elapsed_ms=round(elapsed_s * 1000),
        retry_after_s=error.retry_after_s if isinstance(error, MirrorThrottled) else None,
    )


def exhausted(subject: str, attempts: tuple[Attempt, ...], unknown: type[Exhausted]) -> Exhausted:
    """The error that `attempts` add up to; `unknown` only when every mirror said 404 (E-3)."""
    outcomes = {attempt.outcome for attempt in attempts}
    if outcomes == {MirrorNotFound.outcome}:
        names = ", ".join(attempt.mirror for attempt in attempts)
        return unknown(f"{subject}: not found on {names}", attempts)
    if MirrorOffline.outcome in outcomes:
        return Offline(f"{subject}: not here, and Entrepot is offline", attempts)
    told = "; ".join(f"{a.mirror}/{a.repository}: {a.message}" for a in attempts)
    if MirrorThrottled.outcome in outcomes:
        return AllThrottled(f"{subject}: throttled by its mirrors: {told}", attempts)
    if not attempts:
        return AllFailed(f"{subject}: no configured mirror carries this repository", attempts)
    hint = _CLOSED_NETWORK if _is_cut_off(attempts) else ""
    return AllFailed(f"{subject}: no mirror could answer: {told}{hint}", attempts)


def _is_cut_off(attempts: tuple[Attempt, ...]) -> bool:
    """Whether nobody but the public registries themselves was asked, and none can be reached."""
    return all(a.mirror in OWNERS and a.outcome in _OUT_OF_REACH for a in attempts)


@dataclass(frozen=True, slots=True)
class _Asked:
    """An attempt under way, begun at `started`, loop time."""

    mirror: MirrorClient
    started: float
    held_up: HeldUp

    def silence_s(self, now: float) -> float:
        """How long the mirror has had to answer: waiting for a place is our doing, not its."""
        return now - self.started - self.held_up.seconds(now)


@dataclass(slots=True)
class Race(Generic[T]):
    """One question to several mirrors.

    `ask` is called once for each mirror asked and raises AttemptError when that mirror cannot
    answer. `discard` takes an answer that came too late to be used. Questions of a
    `kind` other than blobs are small, and repeated elsewhere early. Times are seconds; `deadline`
    is loop time. Every task started here has ended when `run` returns or raises.
    """

    order: AskingOrder
    repository: RepositoryName
    ask: Callable[[MirrorClient], Coroutine[Any, Any, T]]
    overtake_s: float
    deadline: float
    metrics: Metrics
    discard: Callable[[T], Awaitable[None]] | None = None
    attempts: list[Attempt] = field(default_factory=list)
    kind: Kind = Kind.BLOB
    _unasked: list[MirrorClient] = field(default_factory=list)
    _resort_since: float | None = None
    _running: dict[asyncio.Task[T], _Asked] = field(default_factory=dict)

    async def run(self) -> Won[T] | None:
        """The winner, or None when nobody answered; `attempts` then tells why."""
        won: Won[T] | None = None
        waiting = [*self.order.usable, *self.order.last_resort]
        if any(mirror.offline for mirror in waiting):
            offline = MirrorOffline()
            self.attempts += [attempt_of(one, self.repository, offline, 0.0) for one in waiting]
            return None
        try:
            won = await self._ask_in_turn(waiting)
            if won is None:
                won = await self._ask_the_unasked()
            if won is None:
                self._tell_unheard(waiting)
        finally:
            try:
                await self._stop_others()
            except asyncio.CancelledError:
                if won is not None and self.discard is not None:
                    await self.discard(won.answer)
                raise
        return won

    async def _ask_the_unasked(self) -> Won[T] | None:
        """Again, those that were not asked by our own decision: a limit, a host set aside.

        A limit that leaves room before the deadline is waited for, as often as others take that
        room: it is kinder to a client than an error, and to a mirror than no limit.
        """
        loop = asyncio.get_running_loop()
        won: Won[T] | None = None
        at_least_s = 0.0
        while won is None and self._unasked:
            again, self._unasked = self._unasked, []
            ready_s = min(mirror.ready_in(loop.time(), self.kind) for mirror in again)
            wait_s = max(ready_s, at_least_s)
            if loop.time() + wait_s >= self.deadline or again[0].offline:
                return None
            await asyncio.sleep(wait_s)
            won = await self._ask_in_turn(again)
            at_least_s = BUSY_S
        return won

    async def _ask_in_turn(self, waiting: list[MirrorClient]) -> Won[T] | None:
        loop = asyncio.get_running_loop()
        patience_s = self.overtake_s
        while waiting or self._running:
            if waiting:
                patience_s = self._patience_s(waiting[0])
                self._start(waiting.pop(0))
            end = self._end(waiting, loop.time())
            until = min(end, loop.time() + patience_s) if waiting else end
            while self._running:
                done, _ = await asyncio.wait(
                    self._running,
                    timeout=max(0.0, until - loop.time()),
                    return_when=asyncio.FIRST_COMPLETED,
                )
                won = self._collect(done)
                if won is not None:
                    return won
                if not done or waiting:
                    break  # overtaken, out of time, or a failure that makes room at once
                end = until = self._end(waiting, loop.time())
            if loop.time() >= end:
                return None
        return None

    def _patience_s(self, mirror: MirrorClient) -> float:
        """How long `mirror` may stay silent before the next one is asked as well.

        Small questions are repeated elsewhere as soon as it takes longer than it nearly always
        does; for a blob that would only be paid twice.
        """
        if self.kind is Kind.BLOB:
            return self.overtake_s
        usual_s = mirror.health.latency_percentile("manifest", HEDGE_SHARE)
        if usual_s is None:
            return self.overtake_s
        return min(self.overtake_s, max(usual_s, SHORTEST_PATIENCE_S))

    def _end(self, waiting: list[MirrorClient], now: float) -> float:
        """When to give up: soon, once everybody has failed who was worth waiting for."""
        if waiting or not self.order.usable:
            return self.deadline
        if any(asked.mirror in self.order.usable for asked in self._running.values()):
            return self.deadline
        if self._resort_since is None:
            self._resort_since = now
        return min(self.deadline, self._resort_since + LAST_RESORT_PATIENCE_S)

    def _start(self, mirror: MirrorClient) -> None:
        loop = asyncio.get_running_loop()
        mirror.health.begin_trial(loop.time())
        asked = _Asked(mirror, loop.time(), HeldUp())
        task = loop.create_task(
            self.ask(mirror), name=f"ask {mirror.name}", context=asked.held_up.context()
        )
        self._running[task] = asked

    def _collect(self, done: set[asyncio.Task[T]]) -> Won[T] | None:
        now = asyncio.get_running_loop().time()
        won: Won[T] | None = None
        for task in [t for t in self._running if t in done]:
            asked = self._running[task]
            mirror = asked.mirror
            error = task.exception()
            if error is None:
                if won is None:
                    del self._running[task]
                    mirror.health.record_success(now)
                    self.metrics.attempt(mirror.registry, mirror.name, "answered")
                    won = Won(mirror, task.result(), tuple(self.attempts))
                continue  # a second answer in the same tick is discarded with the others
            del self._running[task]
            if not isinstance(error, AttemptError):
                raise error
            self._failed(mirror, error, now - asked.started)
        return won

    def _failed(self, mirror: MirrorClient, error: AttemptError, elapsed_s: float) -> None:
        now = asyncio.get_running_loop().time()
        mirror.health.record_failure(error, now)
        if not error.asked:
            self._unasked.append(mirror)
        attempt = attempt_of(mirror, self.repository, error, elapsed_s)
        self.attempts.append(attempt)
        self.metrics.attempt(mirror.registry, mirror.name, attempt.outcome)
        if not isinstance(error, MirrorNotFound):
            log.info(
                "mirror.failed",
                registry=mirror.registry,
                mirror=mirror.name,
                repository=attempt.repository,
                outcome=attempt.outcome,
                reason=attempt.message,
                ms=attempt.elapsed_ms,
            )

    def _tell_unheard(self, waiting: list[MirrorClient]) -> None:
        """Time is up: a mirror that had too little of it has not said 404 (E-3)."""
        now = asyncio.get_running_loop().time()
        asked = ((one.mirror, one.silence_s(now)) for one in self._running.values())
        short = [(mirror, left_s) for mirror, left_s in asked if left_s < self._due_s(mirror)]
        for mirror, elapsed_s in [*short, *((mirror, 0.0) for mirror in waiting)]:
            silent = MirrorSilent("no answer in the time that was left")
            self.attempts.append(attempt_of(mirror, self.repository, silent, elapsed_s))

    def _due_s(self, mirror: MirrorClient) -> float:
        """How long `mirror` may stay silent before that is held against it."""
        return max(self.overtake_s, mirror.patience_s or 0.0)

    async def _stop_others(self) -> None:
        """Cancel who is still asking; silence beyond the overtaking time is held against it."""
        left, self._running = self._running, {}
        if not left:
            return
        now = asyncio.get_running_loop().time()
        silences = {task: asked.silence_s(now) for task, asked in left.items()}
        for task in left:
            task.cancel()
        await asyncio.wait(left)
        for task, silence_s in silences.items():
            mirror = left[task].mirror
            if not task.cancelled() and task.exception() is None:
                mirror.health.record_success(now)
                if self.discard is not None:
                    await self.discard(task.result())
            elif silence_s >= self._due_s(mirror):
                self._failed(mirror, mirror.silence(silence_s), silence_s)
            else:
                mirror.health.abandon_trial(now)
