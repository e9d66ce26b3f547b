"""Which bytes to ask for next: pure decisions over what is there, on its way and waited for.

A blob is fetched in parts from all mirrors that have it, the head first because readers wait there.
How much a mirror is asked for at a time follows from what it has delivered so far. When nothing is
left to hand out, a free mirror takes over what a stalled one owes, or the end of what a slow one
would still need long for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from entrepot.store.rangeset import RangeSet
from entrepot.upstream.heldup import HeldUp

MIB = 1 << 20
FIRST_PART_BYTES = 4 * MIB
SMALLEST_PART_BYTES = MIB
LARGEST_PART_BYTES = 32 * MIB
PART_SECONDS = 1.5
"""A part takes a mirror about so long: each costs a round trip, and readers wait for the first."""
FAR_SECONDS = 2.0
"""A reader waits for a transfer that reaches its offset within this time."""
FAR_BYTES = 16 * MIB
"""The same for a transfer whose speed is not known yet."""
STEAL_SECONDS = 0.25
STEAL_BYTES = MIB // 2
"""Less than this at the end of a slow transfer is not worth another request."""


@dataclass(slots=True)
class Transfer:
    """Bytes on their way from `mirror`: `at` is the next to come, `stop` where it ends.

    `stop` may be lowered while it runs, when another mirror takes over the end. `rate` is bytes a
    second, None until known; `moved` is when the last byte came (loop time); `held_up` is what our
    own limits cost it.
    """

    mirror: str
    at: int
    stop: int
    moved: float
    rate: float | None = None
    held_up: HeldUp = field(default_factory=HeldUp, compare=False)

    @property
    def left(self) -> int:
        """Bytes still to come."""
        return max(0, self.stop - self.at)

    def silence_s(self, now: float) -> float:
        """How long its mirror has sent nothing: waiting for a place is our doing, not its."""
        return now - self.moved - self.held_up.seconds(now)

    def seconds_to(self, offset: int) -> float | None:
        """How long until it reaches `offset`; None while its speed is not known."""
        return (offset - self.at) / self.rate if self.rate else None


@dataclass(frozen=True, slots=True)
class Part:
    """What to ask for: [start, stop). `shortened` gives its end up to this part."""

    start: int
    stop: int
    shortened: Transfer | None = None


@dataclass(frozen=True, slots=True)
class Situation:
    """Everything a decision rests on. `lanes` is how many transfers could run at once.

    `wanted` are the offsets at which readers wait. A transfer that has not moved for `patience_s`
    counts as stalled.
    """

    size: int
    written: RangeSet
    transfers: Sequence[Transfer]
    wanted: Sequence[int]
    lanes: int
    now: float
    patience_s: float

    def free(self) -> RangeSet:
        """What is neither there nor on its way, as a set."""
        return _gaps(self.size, self.written, self.transfers)

    def stalled(self, transfer: Transfer) -> bool:
        """Whether nothing has come for too long."""
        return self.now - transfer.moved >= self.patience_s


def next_part(situation: Situation, rate: float | None) -> Part | None:
    """What a free mirror with that `rate` should be asked for; None when nothing is worth it."""
    free = situation.free()
    return (
        _wanted_part(situation, free, rate)
        or _head_part(situation, free, rate)
        or _stalled_part(situation)
        or _stolen_part(situation, rate)
    )


def urgent_part(situation: Situation, rate: float | None) -> Part | None:
    """The same, but only for a reader that would wait long: worth a connection of its own."""
    return _wanted_part(situation, situation.free(), rate, urgent=True)


def part_length(situation: Situation, free_bytes: int, rate: float | None) -> int:
    """How many bytes to ask for at a time; everything when nobody else could take a share."""
    if situation.lanes <= 1:
        return situation.size
    length = FIRST_PART_BYTES if rate is None else round(rate * PART_SECONDS)
    length = min(max(length, FIRST_PART_BYTES), LARGEST_PART_BYTES)
    fair = max(free_bytes // situation.lanes, SMALLEST_PART_BYTES)  # so that all end together
    return min(length, fair)


def _wanted_part(
    situation: Situation, free: RangeSet, rate: float | None, *, urgent: bool = False
) -> Part | None:
    """Bytes some reader waits for and nobody brings soon."""
    length = part_length(situation, free.total, rate)
    if urgent:
        length = min(length, FIRST_PART_BYTES)
    for offset in sorted(situation.wanted):
        if offset >= situation.size or offset in situation.written:
            continue
        carrier = _carrier(situation.transfers, offset)
        if carrier is None:
            if urgent and not _is_far(situation, offset):
                continue
            return Part(offset, min(free.contiguous_end(offset), offset + length))
        if offset == carrier.at or situation.stalled(carrier):
            continue  # it is next, or dealt with as stalled
        seconds = carrier.seconds_to(offset)
        far = offset - carrier.at > FAR_BYTES if seconds is None else seconds > FAR_SECONDS
        if far:
            stop = min(carrier.stop, offset + length)
            return Part(offset, stop, shortened=carrier)
    return None


def _is_far(situation: Situation, offset: int) -> bool:
    """Whether no running transfer stands right before `offset`."""
    return not any(t.stop == offset and t.left <= FAR_BYTES for t in situation.transfers)


def _head_part(situation: Situation, free: RangeSet, rate: float | None) -> Part | None:
    for start, stop in free:
        return Part(start, min(stop, start + part_length(situation, free.total, rate)))
    return None


def _stalled_part(situation: Situation) -> Part | None:
    """What a stalled or crawling transfer owes, asked for again; the first to come is taken."""
    for transfer in sorted(situation.transfers, key=lambda t: t.at):
        others = [t for t in situation.transfers if t is not transfer and not situation.stalled(t)]
        slow = situation.stalled(transfer) or _crawls(transfer)
        if transfer.left and slow and _carrier(others, transfer.at) is None:
            return Part(transfer.at, min(transfer.stop, transfer.at + LARGEST_PART_BYTES))
    return None


def _crawls(transfer: Transfer) -> bool:
    """Whether it needs long for so little that it is not worth dividing."""
    seconds = transfer.seconds_to(transfer.stop)
    return transfer.left < 2 * STEAL_BYTES and seconds is not None and seconds > FAR_SECONDS


def _stolen_part(situation: Situation, rate: float | None) -> Part | None:
    """The end of the transfer that would need longest, cut where both would end together.

    While no speed is known, of what is longest: one half is as good a guess as any.
    """
    large = [t for t in situation.transfers if t.left >= 2 * STEAL_BYTES]
    if not large:
        return None
    victim = max(large, key=lambda t: (t.left / t.rate if t.rate else 0.0, t.left))
    if victim.rate is not None and victim.left / victim.rate < STEAL_SECONDS:
        return None
    if victim.rate is None and victim.left < 2 * FIRST_PART_BYTES:
        return None
    mine = rate or victim.rate or 1.0
    theirs = victim.rate or mine
    start = victim.at + max(STEAL_BYTES, round(victim.left * theirs / (theirs + mine)))
    if victim.stop - start < STEAL_BYTES:
        return None
    return Part(start, victim.stop, shortened=victim)


def _carrier(transfers: Iterable[Transfer], offset: int) -> Transfer | None:
    return next((t for t in transfers if t.at <= offset < t.stop), None)


def _gaps(size: int, written: RangeSet, transfers: Iterable[Transfer]) -> RangeSet:
    free = RangeSet(written.missing(0, size))
    for transfer in transfers:
        if transfer.left:
            free = free.remove(transfer.at, min(transfer.stop, size))
    return free
