"""What is asked of an answer before a tag means it: one policy for each registry or repository.

A policy is steps, tried in order until one of them can tell:

    pinned      the digest is known in advance; a tag without a pin is left to the next step
    authority   what the owner of the name says counts; out of reach, the next step is tried
    agree N     what N mirrors say counts
    first       what is said first counts

A step is enforced, or `warn`: then it gives way, and the answer is accepted all the same and
reported. `frozen` says that tags do not move here, not even by their owner's word.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from entrepot.trust.level import Level

_NOTHING = "a policy is some of: pinned, authority, agree N, first, each with warn or without"


class Rule(Enum):
    """The rules there are; the value is the level of what they accept, and strongest is first."""

    PINNED = Level.PIN
    AUTHORITY = Level.AUTHORITY
    AGREE = Level.AGREEMENT
    FIRST = Level.FIRST

    def __str__(self) -> str:
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Step:
    """One rule of a policy. `votes` is the N of `agree`, and 1 for every other rule."""

    rule: Rule
    votes: int = 1
    enforce: bool = True

    def __str__(self) -> str:
        votes = f" {self.votes}" if self.rule is Rule.AGREE else ""
        return f"{self.rule}{votes}{'' if self.enforce else ' warn'}"


@dataclass(frozen=True, slots=True)
class Policy:
    """Steps from the strongest to the weakest; made only by `parse`."""

    steps: tuple[Step, ...]
    frozen: bool = False

    @classmethod
    def parse(cls, written: str | Sequence[str]) -> Policy:
        """Read `pinned, authority, agree 2 warn, frozen`, or a list of such words; ValueError."""
        texts = written.split(",") if isinstance(written, str) else written
        words = [text.replace(":", " ").split() for text in texts]
        steps = [_step(word) for word in words if word != ["frozen"]]
        ranks = [step.rule.value for step in steps]
        if not steps:
            raise ValueError(_NOTHING)
        if ranks != sorted(set(ranks), reverse=True):
            order = ", ".join(str(rule) for rule in Rule)
            raise ValueError(f"each step stands once, in the order {order}")
        return cls(tuple(steps), len(steps) < len(words))

    def __str__(self) -> str:
        return ", ".join([*map(str, self.steps), *(["frozen"] if self.frozen else [])])

    @property
    def tried(self) -> tuple[Step, ...]:
        """The steps, and after them the one that a `warn` gives way to."""
        if self.steps[-1].rule is Rule.FIRST or all(step.enforce for step in self.steps):
            return self.steps
        return (*self.steps, Step(Rule.FIRST, enforce=False))

    @property
    def floor(self) -> Level:
        """The weakest level that this policy ever serves."""
        return self.tried[-1].rule.value

    def hopeless(self, *, mirrors: int, authorities: int) -> str:
        """Say why no mirror can ever fulfil this, or nothing: for `entrepot check-config`.

        Of `mirrors` those of one host count once.
        """
        last = self.tried[-1]
        if last.rule is Rule.AGREE and last.votes > mirrors and not authorities:
            return f"{last.votes} mirrors are to agree, and they are on {mirrors} hosts"
        if last.rule is Rule.AUTHORITY and not authorities:
            return "the authority is to be asked, and none of the mirrors is it"
        return ""


def _step(words: Sequence[str]) -> Step:
    enforce = True
    if len(words) > 1 and words[-1] in ("warn", "enforce"):
        enforce, words = words[-1] == "enforce", words[:-1]
    match words:
        case ["pinned" | "authority" | "first" as word]:
            return Step(Rule[word.upper()], enforce=enforce)
        case ["agree", votes] if votes.isdecimal() and len(votes) < 4 and int(votes) > 1:
            return Step(Rule.AGREE, int(votes), enforce)
        case ["agree", *_]:
            raise ValueError("agree wants how many, two at least, as in `agree 2`")
        case _:
            raise ValueError(f"{' '.join(words)!r} is not known: {_NOTHING}")


PINNED_WHERE_KNOWN = Policy.parse("pinned, authority, first warn")
"""For registries whose owners do re-build images under the same tag, as Docker Hub's do."""

NEVER_MOVING = Policy.parse("pinned, authority, first warn, frozen")
"""For registry.k8s.io: the promoter refuses to move a tag, so whoever moves one is wrong."""

DEFAULTS: Mapping[str, Policy] = {"registry.k8s.io": NEVER_MOVING}


@dataclass(frozen=True, slots=True)
class PolicyTable:
    """Which policy a repository has; made by `of`. The most exact entry decides, alone."""

    entries: Mapping[str, Policy] = field(default_factory=dict)
    default: Policy = PINNED_WHERE_KNOWN

    @classmethod
    def of(cls, entries: Mapping[str, Policy], default: Policy = PINNED_WHERE_KNOWN) -> PolicyTable:
        """Take `registry`, `registry/part/*` and `registry/repository`; over the DEFAULTS.

        ValueError for a `*` elsewhere than at the end.
        """
        for name in entries:
            if "*" in name.removesuffix("/*") or name.startswith("/"):
                raise ValueError(f"{name!r} is not a registry, nor a repository, nor ends in /*")
        # A registry with /* behind it is the registry.
        given = {
            name.removesuffix("/*") if name.count("/") == 1 else name: policy
            for name, policy in entries.items()
        }
        return cls({**DEFAULTS, **given}, default)

    def policy(self, registry: str, repository: str) -> Policy:
        """Find a repository's policy; one look-up for each part of its name."""
        exact = self.entries.get(f"{registry}/{repository}")
        if exact is not None:
            return exact
        above = repository
        while "/" in above:
            above = above.rpartition("/")[0]
            found = self.entries.get(f"{registry}/{above}/*")
            if found is not None:
                return found
        return self.entries.get(registry, self.default)
