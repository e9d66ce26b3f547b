"""What may be decided about a tag, and what is worth telling about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from entrepot.oci.digest import Digest
from entrepot.trust.level import Level
from entrepot.trust.voting import Answer


class Event(StrEnum):
    """What is worth telling about a decision."""

    UNVERIFIED = "accepted although nobody vouches for it"
    PIN_NOT_MET = "no mirror has what the pin says; the pin only warns here"
    PIN_OVERRULED = "the pin replaced what was held"
    CORRECTED = "better evidence replaced what was held"
    MOVED = "the tag moved"
    MOVE_REFUSED = "the tag was said to have moved; what was held is kept"
    UNCONFIRMED = "nobody confirmed what is held; it is kept"
    GONE = "the tag is said to be gone; what was held is kept"
    DISAGREEMENT = "too few mirrors agree"
    DISSENT = "this mirror said something else"


class Reason(StrEnum):
    """Why nothing can be served."""

    NOT_FOUND = "there is no such tag"
    UNAVAILABLE = "no mirror answered"
    PIN_NOT_MET = "the mirrors have other digests than the pinned one"
    NO_PIN = "only pinned tags are served here, and this one has no pin"
    UNVERIFIED = "what mirrors said is not vouched for as the policy asks"


@dataclass(frozen=True, slots=True)
class Report:
    """One thing worth telling; `mirror` and `digest` are whose word and which, where there are."""

    event: Event
    mirror: str = ""
    digest: Digest | None = None

    def __str__(self) -> str:
        about = " ".join(filter(None, [self.mirror, str(self.digest or "")]))
        return f"{self.event}: {about}" if about else str(self.event)


@dataclass(frozen=True, slots=True)
class Accept:
    """From now on the tag means `digest`, which the named mirrors said (none: the pin says it).

    The bytes are still to be got, by digest; the level stands once they hash to it.
    """

    digest: Digest
    level: Level
    mirrors: tuple[str, ...] = ()
    reports: tuple[Report, ...] = ()


@dataclass(frozen=True, slots=True)
class Keep:
    """What is held goes on being served, at a level that may have risen.

    `confirmed` when it was found to be right now, so that it counts as fresh again.
    """

    digest: Digest
    level: Level
    confirmed: bool
    reports: tuple[Report, ...] = ()


@dataclass(frozen=True, slots=True)
class Ask:
    """More must be known: ask these mirrors, in this order, any number of them at once."""

    mirrors: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Refuse:
    """Nothing can be served. `expected` is the pin, `received` what each mirror said."""

    reason: Reason
    expected: tuple[Digest, ...] = ()
    received: tuple[Answer, ...] = ()
    reports: tuple[Report, ...] = ()

    def __str__(self) -> str:
        parts = [str(self.reason)]
        if self.expected:
            parts.append(f"expected {' or '.join(map(str, self.expected))}")
        return "; ".join([*parts, *map(str, self.received)])


Decision: TypeAlias = Accept | Keep | Ask | Refuse
