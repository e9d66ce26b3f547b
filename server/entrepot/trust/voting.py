"""What mirrors said about a tag so far, and who is still to be asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from entrepot.oci.digest import Digest
from entrepot.trust.level import Level


class Outcome(Enum):
    """How a question to one mirror ended."""

    DIGEST = "digest"
    NOT_FOUND = "not found"
    FAILED = "failed"
    """No answer: unreachable, silent, denied, throttled, nonsense, or not asked at all."""


@dataclass(frozen=True, slots=True)
class Voter:
    """A mirror that may be asked; `authority` when it is the registry that owns the name.

    Those with one `host` have one voice between them: who lies there lies by every name.
    """

    mirror: str
    authority: bool = False
    host: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What one mirror said. `detail` is for people: the status, or that bytes were repaired.

    `digest` is that of the bytes, after repair where there was one; never a mere header's. `sent`
    is that of the bytes before repair.
    """

    mirror: str
    outcome: Outcome
    digest: Digest | None = None
    detail: str = ""
    sent: Digest | None = None

    def __post_init__(self) -> None:
        has_digest = self.digest is not None
        if has_digest != (self.outcome is Outcome.DIGEST) or (self.sent and not has_digest):
            raise ValueError("an answer has a digest exactly when its outcome is one")

    @classmethod
    def of(
        cls, mirror: str, digest: Digest, detail: str = "", sent: Digest | None = None
    ) -> Answer:
        """Make the answer of a mirror that sent a manifest."""
        return cls(mirror, Outcome.DIGEST, digest, detail, sent)

    def __str__(self) -> str:
        said = str(self.digest) if self.digest is not None else self.outcome.value
        return f"{self.mirror}: {said}{f' ({self.detail})' if self.detail else ''}"


@dataclass(frozen=True, slots=True)
class Held:
    """What a tag was decided to mean before; `since` is seconds of the epoch."""

    digest: Digest
    level: Level
    since: float = 0.0
    mirror: str = ""

    def released(self) -> Held:
        """Take back a pin that is in no file any more: mirrors move it no more than an owner's."""
        if self.level is not Level.PIN:
            return self
        return Held(self.digest, Level.AUTHORITY, self.since, self.mirror)


@dataclass(frozen=True, slots=True)
class Tally:
    """Answers counted. Each mirror has one vote, its first; strangers have none.

    A digest that several mirrors of one host say has one vote of theirs.
    """

    voters: tuple[Voter, ...]
    answers: tuple[Answer, ...]

    @classmethod
    def of(cls, voters: Iterable[Voter], answers: Iterable[Answer]) -> Tally:
        """Count; the order of both is kept."""
        known = {voter.mirror: voter for voter in voters}
        first: dict[str, Answer] = {}
        for answer in answers:
            if answer.mirror in known:
                first.setdefault(answer.mirror, answer)
        return cls(tuple(known.values()), tuple(first.values()))

    @property
    def pending(self) -> tuple[str, ...]:
        """The mirrors that have not answered, in the order to ask them."""
        answered = {answer.mirror for answer in self.answers}
        return tuple(voter.mirror for voter in self.voters if voter.mirror not in answered)

    @property
    def ranking(self) -> tuple[tuple[Digest, int], ...]:
        """The digests with their votes: most votes first, among equals the earlier one."""
        hosts = self._hosts()
        said = dict.fromkeys(
            (hosts[answer.mirror], answer.digest)
            for answer in self.answers
            if answer.digest is not None
        )
        return tuple(Counter(digest for _, digest in said).most_common())

    def voices(self, mirrors: Iterable[str]) -> int:
        """Count the hosts of some mirrors: what they can add to a digest's votes at most."""
        hosts = self._hosts()
        return len({hosts[mirror] for mirror in mirrors})

    def _hosts(self) -> dict[str, str]:
        return {voter.mirror: voter.host or voter.mirror for voter in self.voters}

    def mirrors_of(self, digest: Digest) -> tuple[str, ...]:
        """Who said this digest."""
        return tuple(answer.mirror for answer in self.answers if answer.digest == digest)

    def all_not_found(self) -> bool:
        """Whether there are answers, and all of them say that there is no such tag."""
        outcomes = {answer.outcome for answer in self.answers}
        return outcomes == {Outcome.NOT_FOUND}

    def of_authorities(self) -> Tally:
        """Count only the owner's mirrors."""
        owners = [voter for voter in self.voters if voter.authority]
        return Tally.of(owners, self.answers)
