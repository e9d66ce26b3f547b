"""Brings the bytes of one blob into a partial file, in parts, from every mirror that has it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from entrepot.errors import Attempt, AttemptError, BlobUnknown, MirrorLied, OtherLength
from entrepot.metrics import Metrics
from entrepot.mirror.contributions import Contributions
from entrepot.mirror.delivery import Delivery
from entrepot.mirror.destination import Destination
from entrepot.mirror.plan import MIB, Part, Situation, Transfer, next_part, urgent_part
from entrepot.mirror.race import Race, attempt_of, exhausted
from entrepot.mirror.setaside import SetAside
from entrepot.mirror.source import Source, Sources
from entrepot.mirror.wanted import FillRules, Wanted
from entrepot.upstream.blobstream import BlobStream
from entrepot.upstream.heldup import held_up
from entrepot.upstream.mirror import MirrorClient

STRIPED_BYTES = 8 * MIB
"""A blob with less than this still to come is left to one mirror."""
MOST_URGENT = 2
"""Connections at a time beyond what a mirror is allowed, for readers that would wait long."""
SLOW_SECONDS = 5.0
"""A smaller blob is shared out all the same when one mirror would need longer than this."""
_ENDLESS = 1 << 62
"""Where a transfer ends while nobody has said how long the blob is."""
_MEASURED_S = 0.25
_LOOK_EVERY_S = 0.5
_TOLD_ATTEMPTS = 20

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Fetch:
    """The transfers of one fill. `run` returns when every byte is there, proved or not.

    `contributions` tells who sent what. `progressed` is called on the loop after each piece, and
    when the size becomes known. `in_order`: one mirror at a time, byte after byte.
    """

    wanted: Wanted
    partial: Destination
    rules: FillRules
    set_aside: SetAside
    metrics: Metrics
    progressed: Callable[[], None]
    attempts: list[Attempt] = field(default_factory=list)
    contributions: Contributions = field(default_factory=Contributions)
    readers: dict[object, int] = field(default_factory=dict)
    answered: bool = False
    in_order: bool = False
    sources: Sources = field(init=False)
    _running: dict[asyncio.Task[None], Transfer] = field(default_factory=dict)
    _urgent: int = 0
    _ended: bool = False
    _moved_at: float = 0.0
    _asked_again_at: float = 0.0
    _began_with: int = 0
    _wake: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.sources = Sources(self.wanted, self.set_aside)

    @property
    def _delivery(self) -> Delivery:
        """To what is the destination now: a relay puts another in its place."""
        return Delivery(self.partial, self.contributions, self.metrics)

    def want(self, reader: object, offset: int) -> None:
        """A reader waits at `offset`; it takes itself out of `readers` when it no longer does."""
        self.readers[reader] = offset
        if not any(t.at <= offset < t.stop for t in self._running.values()):
            self._wake.set()

    def give_up_on(self, mirror: str) -> None:
        """Never ask `mirror` again in this fill, and only as a last resort in the next ones."""
        self.sources[mirror].given_up = "sent something else"
        self.sources.doubt(mirror, asyncio.get_running_loop().time())

    async def open_part(self, mirror: str, start: int, stop: int | None) -> BlobStream:
        """Ask one mirror for [start, stop), to the end if None; the caller closes.

        Raises AttemptError.
        """
        client = self.sources[mirror].client
        patience_s = max(self.rules.headers_s, client.patience_s or 0.0)
        account, clock = held_up(), asyncio.get_running_loop().time
        before_s = account.seconds(clock())
        try:
            async with asyncio.timeout(patience_s):
                return await self._ask(client, start, stop)
        except TimeoutError as error:
            late = client.late(patience_s, account.seconds(clock()) - before_s)
            self._failed(mirror, late)
            raise late from error

    async def run(self) -> None:
        """Fetch what is missing. Raises Exhausted, or StoreError; no task is left behind."""
        loop = asyncio.get_running_loop()
        self._moved_at = loop.time()
        self._began_with = self.partial.written.total
        self._ended = False
        pause_s = _LOOK_EVERY_S
        try:
            while not self._whole():
                now = loop.time()
                self._launch(now)
                if self._running:
                    pause_s = _LOOK_EVERY_S
                    await self._wait(_LOOK_EVERY_S)
                    continue
                if self.answered and (rest_s := self.sources.rest_s(now)):
                    # An answer alone is no progress: a mirror may break off at its first byte.
                    self._raise_if_hopeless(now)
                    await self._wait(rest_s)
                    continue
                if not await self._open():
                    self._raise_if_hopeless(loop.time())
                    await self._wait(pause_s)
                    pause_s = min(pause_s * 2, 10.0)
        finally:
            await self._stop()

    def _whole(self) -> bool:
        size = self.partial.size
        return self._ended or (size is not None and self.partial.written.total == size)

    # -- the first answer, and every one after all transfers have failed --------------------------

    async def _open(self) -> bool:
        """Ask the mirrors in order for what comes next; whether one of them answered."""
        now = asyncio.get_running_loop().time()
        self._asked_again_at = now if self.answered else 0.0
        part = self._first_part()
        won = await self._race(part, now).run()
        if won is None:
            return False
        if self.partial.size is None and won.answer.size is not None:
            self.partial.size = won.answer.size
        self.answered = True
        if self._whole():  # empty: a task would be stopped before it could close anything
            await won.answer.aclose()
            self.contributions.add(0, 0, won.mirror.name)
            return True
        stop = part.stop if self.partial.size is None else min(part.stop, self.partial.size)
        transfer = Transfer(won.mirror.name, part.start, stop, asyncio.get_running_loop().time())
        _ = self._begin(self.sources[won.mirror.name], transfer, won.answer)
        self.progressed()
        return True

    def _first_part(self) -> Part:
        size = self.partial.size
        if size is None or self.in_order:
            return Part(self.partial.front, _ENDLESS if size is None else size)
        situation = self._situation(size, asyncio.get_running_loop().time())
        return next_part(situation, None) or Part(self.partial.front, size)

    def _race(self, part: Part, now: float) -> Race[BlobStream]:
        whole = part.stop >= (self.partial.size or _ENDLESS)

        async def ask(mirror: MirrorClient) -> BlobStream:
            return await self._ask(mirror, part.start, None if whole else part.stop)

        return Race(
            order=self.sources.order(now),
            repository=self.wanted.repository,
            ask=ask,
            overtake_s=self.rules.overtake_s,
            deadline=self._deadline(now),
            metrics=self.metrics,
            discard=BlobStream.aclose,
            attempts=self.attempts,
        )

    def _deadline(self, now: float) -> float:
        """Readers with half a blob wait no longer for a race than until the fill gives up (T-2)."""
        if not self.answered:
            return now + max(self.rules.headers_s, self.sources.patience_s)
        left_s = self._moved_at + self.rules.give_up_s - now
        return now + max(2 * self.rules.overtake_s, min(left_s, self.rules.headers_s))

    async def _ask(self, mirror: MirrorClient, start: int, stop: int | None) -> BlobStream:
        try:
            return await mirror.open_blob(
                self.wanted.repository,
                self.wanted.digest,
                start=start,
                stop=stop,
                expected_size=self.partial.size,
            )
        except AttemptError as error:
            hearsay = self.wanted.expected_size is None and self.partial.size is not None
            if hearsay and isinstance(error, OtherLength):
                raise self.sources[mirror.name].contradicted(error) from error
            self._failed(mirror.name, error)
            raise

    def _raise_if_hopeless(self, now: float) -> None:
        """Before any answer the first failure counts; later each is asked once more at least."""
        asked_again = self._asked_again_at > self._moved_at
        late = asked_again and now - self._moved_at >= self.rules.give_up_s
        if self.sources.exhausted or not self.answered or late:
            told = tuple(self.attempts[-_TOLD_ATTEMPTS:])
            raise exhausted(self.wanted.title, told, BlobUnknown)

    # -- further transfers beside the first ----------------------------------------------------

    def _launch(self, now: float) -> None:
        """Give every mirror that has a connection to spare something to bring."""
        size = self.partial.size
        if size is None or not self._running or self.in_order:
            return
        if self._striped(size) or self._needs_help(size, now):
            for source in self.sources.ready(now):
                while source.free(now):
                    part = next_part(self._situation(size, now), source.rate)
                    if part is None:
                        break
                    _ = self._take(source, part, now)
        self._launch_urgent(size, now)

    def _striped(self, size: int) -> bool:
        return size - self._began_with >= STRIPED_BYTES

    def _needs_help(self, size: int, now: float) -> bool:
        """Whether a transfer stands still, or would go on for long."""
        situation = self._situation(size, now)
        return any(
            situation.stalled(t) or (t.seconds_to(t.stop) or 0.0) > SLOW_SECONDS
            for t in situation.transfers
        )

    def _launch_urgent(self, size: int, now: float) -> None:
        while self._urgent < MOST_URGENT:
            able = self.sources.ready(now)
            if not able:
                return
            source = max(able, key=lambda s: s.rate or 0.0)
            part = urgent_part(self._situation(size, now), source.rate)
            if part is None:
                return
            self._urgent += 1
            task = self._take(source, part, now)
            task.add_done_callback(self._urgent_ended)

    def _urgent_ended(self, _: asyncio.Task[None]) -> None:
        self._urgent -= 1

    def _take(self, source: Source, part: Part, now: float) -> asyncio.Task[None]:
        if part.shortened is not None:
            part.shortened.stop = part.start
        return self._begin(source, Transfer(source.name, part.start, part.stop, now), None)

    def _begin(
        self, source: Source, transfer: Transfer, stream: BlobStream | None
    ) -> asyncio.Task[None]:
        source.busy += 1
        bringing = self._bring(source, transfer, transfer.stop, stream)
        name, context = f"bring {source.name} {transfer.at}", transfer.held_up.context()
        task = asyncio.get_running_loop().create_task(bringing, name=name, context=context)
        self._running[task] = transfer
        return task

    def _situation(self, size: int, now: float) -> Situation:
        ready = self.sources.ready(now)
        return Situation(
            size=size,
            written=self.partial.written,
            transfers=list(self._running.values()),
            wanted=tuple(self.readers.values()),
            lanes=sum(s.client.streams for s in ready) if self._striped(size) else 1,
            now=now,
            patience_s=self.rules.overtake_s,
        )

    # -- one transfer --------------------------------------------------------------------------

    async def _bring(
        self, source: Source, transfer: Transfer, asked: int, stream: BlobStream | None
    ) -> None:
        """Write what comes until the transfer has ended; failures are noted, not raised.

        The mirror was asked up to `asked`; the transfer may have been shortened since.
        """
        loop = asyncio.get_running_loop()
        began, first = loop.time(), transfer.at
        try:
            if stream is None:
                source.client.health.begin_trial(began)
                stop = transfer.stop if transfer.stop != self.partial.size else None
                stream = await self.open_part(source.name, transfer.at, stop)
                source.client.health.record_success(loop.time())
            if stream.stop is not None and stream.stop > asked:
                self._take_whole(source, transfer, stream.stop)
            await self._copy(source, transfer, stream)
        except AttemptError as error:
            if stream is not None:
                if transfer.at > first:
                    source.moved()
                self._failed(source.name, error)
            source.client.health.record_failure(error, loop.time())
            elapsed_s = loop.time() - began
            self.attempts.append(
                attempt_of(source.client, self.wanted.repository, error, elapsed_s)
            )
            self.metrics.attempt(source.client.registry, source.name, error.outcome)
            log.info(
                "fill.broke_off",
                digest=str(self.wanted.digest),
                mirror=source.name,
                at=transfer.at,
                of=self.partial.size,
                outcome=error.outcome,
                reason=str(error),
            )
        finally:
            source.busy -= 1
            if stream is not None:
                await stream.aclose()

    async def _copy(self, source: Source, transfer: Transfer, stream: BlobStream) -> None:
        loop = asyncio.get_running_loop()
        began, first = loop.time(), transfer.at
        while transfer.left:
            receive = await stream.receiver(transfer.left)
            if receive is not None:
                stream.received(await self._delivery.receive(source, transfer, receive))
            elif piece := await stream.read_piece():
                await self._delivery.write(source, transfer, piece.first(transfer.left))
            if stream.ended:
                break
            now = loop.time()
            self._moved_at = transfer.moved = now
            if now - began > _MEASURED_S:
                transfer.rate = (transfer.at - first) / (now - began)
            self.progressed()
            if self._delivery.overlaps(transfer) or self._others_should(source, now):
                break
        source.measured(transfer.at - first, loop.time() - began)
        if self.partial.size is None and transfer.left:
            self.partial.size = transfer.at  # nobody had said it; this was the end
            self.contributions.add(transfer.at, transfer.at, source.name)
            self._ended = True

    def _others_should(self, source: Source, now: float) -> bool:
        """Whether it has given as much as it may, and others, who have the blob, can go on."""
        if self.partial.size is None or not source.client.spent(now):
            return False
        return any(other.name in self.contributions.mirrors for other in self.sources.ready(now))

    def _take_whole(self, source: Source, transfer: Transfer, stop: int) -> None:
        """A mirror that ignores ranges sends everything from here on: take it rather than ask."""
        source.whole_only = True
        others = [t.at for t in self._running.values() if t is not transfer and t.at > transfer.at]
        transfer.stop = min([stop, *others])

    def _failed(self, mirror: str, error: AttemptError) -> None:
        now = asyncio.get_running_loop().time()
        self.sources[mirror].failed(error, now)
        if isinstance(error, MirrorLied):
            self.sources.doubt(mirror, now)

    async def _wait(self, seconds: float) -> None:
        """Until a transfer ends, a reader waits somewhere new, or it is time to look again."""
        self._wake.clear()
        waking = asyncio.get_running_loop().create_task(self._wake.wait())
        try:
            await asyncio.wait(
                [*self._running, waking], timeout=seconds, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            waking.cancel()
        self._reap()

    def _reap(self) -> None:
        for task in [task for task in self._running if task.done()]:
            del self._running[task]
            if not task.cancelled() and (error := task.exception()) is not None:
                raise error

    async def _stop(self) -> None:
        """End the transfers still running; the blob is whole without them, or nobody wants it."""
        now = asyncio.get_running_loop().time()
        running, self._running = self._running, {}
        for task, transfer in running.items():
            task.cancel()
            silent = transfer.rate is None and transfer.silence_s(now) >= self.rules.overtake_s
            if silent and not self.in_order:  # there it may be the readers who are slow
                client = self.sources[transfer.mirror].client
                client.health.record_failure(client.silence(transfer.silence_s(now)), now)
        if running:
            done, _ = await asyncio.wait(running)
            _ = [task.cancelled() or task.exception() for task in done]  # the first was raised
