"""How well it is known that a digest is what a name means."""

from __future__ import annotations

from enum import IntEnum


class Level(IntEnum):
    """Ordered: a larger level is better evidence. The values are stored; never renumber them."""

    FIRST = 1
    """Some mirror said so, and nobody had said otherwise before."""
    AGREEMENT = 2
    """As many mirrors as the policy asks for said the same."""
    AUTHORITY = 3
    """The registry that owns the name said so."""
    PIN = 4
    """It was known in advance, from a file of pins or a lock file."""
    DIGEST = 5
    """It was asked for by digest, which the bytes prove. No tag is ever at this level."""

    def __str__(self) -> str:
        return self.name.lower()

    @property
    def explanation(self) -> str:
        """Say in a few words what vouches for a digest of this level."""
        return _EXPLANATIONS[self]


_EXPLANATIONS = {
    Level.FIRST: "the first answer, vouched for by nobody",
    Level.AGREEMENT: "several mirrors said the same",
    Level.AUTHORITY: "the registry that owns the name said so",
    Level.PIN: "known in advance, from a file of pins",
    Level.DIGEST: "proved by its own digest",
}
