"""The ledger: which mirror said what about which name, how it was checked, what became of it.

One record for each judgement, never changed afterwards. With it one can ask what came from a
mirror that turned out to be bad, and why an image is what it is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from entrepot.oci.digest import Digest
from entrepot.oci.reference import Reference, RepositoryName
from entrepot.trust.level import Level


class Verdict(StrEnum):
    """What became of what a mirror said. The values are stored; never change them."""

    ACCEPTED = "accepted"
    """The name means this digest from then on."""
    CONFIRMED = "confirmed"
    """It is what was held already."""
    REPAIRED = "repaired"
    """Accepted after the mirror's bytes were written as the owner wrote them."""
    REPORTED = "reported"
    """Accepted where the policy only warns, although it did not hold."""
    REFUSED = "refused"
    """Not used; something else was held, or nothing was served."""


@dataclass(frozen=True, slots=True)
class LedgerRecord:
    """One judgement. `at` is seconds of the epoch; `received` is what the mirror sent.

    `digest` is what the name means after it (None when nothing could be served), and `level` how
    well that is vouched for. `note` is a few words more, for people only.
    """

    at: float
    registry: str
    repository: RepositoryName
    reference: Reference
    mirror: str
    received: Digest | None
    verdict: Verdict
    digest: Digest | None = None
    level: Level | None = None
    note: str = ""

    @property
    def image(self) -> str:
        """The name that was asked for, as clients write it."""
        separator = "@" if isinstance(self.reference, Digest) else ":"
        return f"{self.registry}/{self.repository}{separator}{self.reference}"

    def __str__(self) -> str:
        when = datetime.fromtimestamp(self.at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        said = f"{self.mirror or 'nobody'} said {self.received or 'nothing'}"
        parts = [f"{when}  {self.image}  {said}: {self.verdict}"]
        if self.level is not None:
            parts.append(self.level.explanation)
        if self.verdict is Verdict.REPAIRED and self.digest is not None:
            parts.append(f"it is {self.digest} when written as its owner wrote it")
        elif self.digest is None:
            parts.append("nothing was served")
        elif self.digest != self.received:
            parts.append(f"served {self.digest}")
        if self.note:
            parts.append(self.note)
        return "; ".join(parts)


@dataclass(frozen=True, slots=True)
class Reputation:
    """One mirror's records, counted."""

    mirror: str
    counts: tuple[tuple[Verdict, int], ...]

    @property
    def refused(self) -> int:
        """How often its word was not used."""
        return dict(self.counts).get(Verdict.REFUSED, 0)

    def __str__(self) -> str:
        told = ", ".join(f"{count} {verdict}" for verdict, count in self.counts)
        return f"{self.mirror}: {told}"


def reputations(records: Iterable[LedgerRecord]) -> tuple[Reputation, ...]:
    """Count verdicts mirror by mirror; those most often refused come first."""
    counts: dict[str, Counter[Verdict]] = {}
    for record in records:
        if record.mirror:
            counts.setdefault(record.mirror, Counter())[record.verdict] += 1
    found = (
        Reputation(mirror, tuple((verdict, of[verdict]) for verdict in Verdict if of[verdict]))
        for mirror, of in counts.items()
    )
    return tuple(sorted(found, key=lambda one: (-one.refused, one.mirror)))


def came_from(records: Iterable[LedgerRecord], mirror: str) -> tuple[LedgerRecord, ...]:
    """Choose what a mirror's word brought and nothing better vouches for: what to look at again.

    That is: accepted at the level FIRST, and not confirmed at a higher one later. Time decides
    what is later, not the order of the records.
    """
    open_: dict[tuple[str, Digest | None], LedgerRecord] = {}
    for record in sorted(records, key=lambda one: one.at):
        key = (record.image, record.digest)
        if record.level is not None and record.level > Level.FIRST:
            open_.pop(key, None)
        elif record.mirror == mirror and record.verdict in _USED:
            open_.setdefault(key, record)
    return tuple(open_.values())


_USED = frozenset({Verdict.ACCEPTED, Verdict.REPAIRED, Verdict.REPORTED})
