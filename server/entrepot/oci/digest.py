"""A digest: the name of some bytes, and the way to prove them."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Protocol, Self

from entrepot.errors import DigestInvalid

_HEX = {"sha256": re.compile(r"[0-9a-f]{64}"), "sha512": re.compile(r"[0-9a-f]{128}")}
ALGORITHMS = tuple(_HEX)


class Hasher(Protocol):
    """A running hash, as hashlib makes them; large updates release the interpreter lock."""

    def update(self, data: bytes | bytearray | memoryview, /) -> None:
        """Take in more bytes."""

    def hexdigest(self) -> str:
        """Tell the hash of everything so far, lower case."""

    def copy(self) -> Self:
        """Return one that has taken in the same, and goes on for itself."""


@dataclass(frozen=True, slots=True, order=True)
class Digest:
    """Algorithm and lower-case hex of some bytes; DigestInvalid unless well-formed (S-9, F-8)."""

    algorithm: str
    hex: str

    def __post_init__(self) -> None:
        pattern = _HEX.get(self.algorithm)
        if pattern is None:
            known = " or ".join(_HEX)
            raise DigestInvalid(f"unknown digest algorithm {self.algorithm!r}: use {known}")
        if not pattern.fullmatch(self.hex):
            raise DigestInvalid(
                f"a {self.algorithm} digest is {self.algorithm}: and"
                f" {_length(self.algorithm)} digits of 0-9a-f"
            )

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.hex}"

    @classmethod
    def parse(cls, text: str) -> Digest:
        """Read `algorithm:hex`; DigestInvalid for anything else, upper case included."""
        algorithm, _, hexadecimal = text.partition(":")
        return cls(algorithm, hexadecimal)

    @classmethod
    def of(cls, data: bytes) -> Digest:
        """Name `data` by SHA-256, on this thread."""
        return cls("sha256", hashlib.sha256(data).hexdigest())

    def hasher(self) -> Hasher:
        """Start a hash of this digest's algorithm."""
        return hashlib.new(self.algorithm)

    def matches(self, data: bytes) -> bool:
        """Whether `data` is what this digest names; hashes on this thread."""
        return hashlib.new(self.algorithm, data).hexdigest() == self.hex


def _length(algorithm: str) -> int:
    return 2 * hashlib.new(algorithm).digest_size
