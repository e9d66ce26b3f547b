"""What can be wrong with a mirror, each with its fakes and its faults: one axis of the matrix."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from fakes.fault import Fault, FaultKind
from fakes.registry import FakeRegistry

Needs = Literal["nothing", "tokens", "cdn"]


@dataclass(frozen=True, slots=True)
class Trouble:
    """`faults(chance, size)` are the faults for answers of about `size` bytes, armed in order.

    hopeless    no operation can succeed with this mirror alone
    curable     blobs come whole even from this mirror alone
    after_break another mirror, which breaks off every time, is asked before this one: what is
                wrong here shows in answers to a resumed download only
    """

    name: str
    faults: Callable[[random.Random, int], Sequence[Fault]]
    needs: Needs = "nothing"
    at_cdn: bool = False
    hopeless: bool = False
    curable: bool = False
    after_break: bool = False

    def mirror(self) -> FakeRegistry:
        """A new mirror, still without content and well."""
        return FakeRegistry(
            token_auth=self.needs == "tokens",
            redirect_blobs_to="cdn" if self.needs == "cdn" else None,
        )

    def strike(self, mirror: FakeRegistry, chance: random.Random, size: int) -> None:
        """Make `mirror` ill."""
        for fault in self.faults(chance, size):
            (mirror.cdn if self.at_cdn else mirror).fault(fault)

    def strike_parts(
        self, mirror: FakeRegistry, chance: random.Random, size: int, part: int
    ) -> None:
        """Make `mirror` ill in its answers about blobs, which are of `part` bytes and more.

        Bytes that go wrong are counted in the blob of `size`, breaks in each answer.
        """
        reach = size if self.name.startswith("flip") else part
        for fault in self.faults(chance, reach):
            if self.at_cdn:
                mirror.cdn.fault(fault)  # it has nothing but blobs
            else:
                mirror.fault(replace(fault, path="/blobs/"))


@dataclass(frozen=True, slots=True)
class _Cut:
    """A fault at some byte of the answer: often the first, often the last, mostly in between."""

    kind: FaultKind
    times: int | None = None

    def __call__(self, chance: random.Random, size: int) -> Sequence[Fault]:
        # Not so early, but for the very first byte, that the rest would take for ever in pieces.
        between = chance.randrange(size // 8, size)
        at = chance.choice([0, size - 1, between, between, between])
        # An answer to HEAD is whole before the fake can break it.
        return [Fault(self.kind, method="GET", times=self.times, after_bytes=at)]


@dataclass(frozen=True, slots=True)
class _Plain:
    """The same every time."""

    fault: Fault = field(default_factory=lambda: Fault("refuse"))

    def __call__(self, chance: random.Random, size: int) -> Sequence[Fault]:
        return [self.fault]


def _always(kind: FaultKind) -> _Plain:
    return _Plain(Fault(kind, times=None))


def _status(status: int, **headers: str) -> _Plain:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return _Plain(Fault("status", times=None, status=status, headers=named))


def _late(chance: random.Random, size: int) -> Sequence[Fault]:
    return [Fault("slow_headers", times=None, delay=chance.uniform(0.15, 0.4))]


def _drip(chance: random.Random, size: int) -> Sequence[Fault]:
    """Slow, never still: the rest takes 0.4 s."""
    at = chance.randrange(size)
    rate = max(1.0, (size - at) / 0.4)
    return [Fault("drip", times=None, after_bytes=at, bytes_per_second=rate)]


def _longer(chance: random.Random, size: int) -> Sequence[Fault]:
    return [Fault("wrong_length", times=None, by=chance.choice([1, 2, 512, 70_000]))]


def _shorter(chance: random.Random, size: int) -> Sequence[Fault]:
    return [Fault("wrong_length", times=None, by=-min(size, chance.choice([1, 2, 512, 70_000])))]


def _elsewhere(chance: random.Random, size: int) -> Sequence[Fault]:
    return [Fault("wrong_content_range", times=None, by=chance.choice([1, 2, 4096]))]


def _three_refusals(chance: random.Random, size: int) -> Sequence[Fault]:
    return [Fault("status", times=3, status=status) for status in (500, 503)]


TROUBLES: tuple[Trouble, ...] = (
    Trouble("refuse", _always("refuse"), hopeless=True),
    Trouble("silent", _always("silent"), hopeless=True),
    Trouble("slow_headers", _late, curable=True),
    Trouble("404", _status(404), hopeless=True),
    Trouble("403", _status(403), hopeless=True),
    Trouble("429", _status(429), hopeless=True),
    Trouble("429_retry_after", _status(429, Retry_After="7"), hopeless=True),
    Trouble("500", _status(500), hopeless=True),
    Trouble("503_then_well", _three_refusals),
    Trouble("html", _always("html"), hopeless=True),
    Trouble("redirect_loop", _always("redirect_loop"), hopeless=True),
    Trouble("reset", _Cut("reset")),
    Trouble("reset_once", _Cut("reset", times=1), curable=True),
    Trouble("truncate", _Cut("truncate")),
    Trouble("truncate_once", _Cut("truncate", times=1), curable=True),
    Trouble("stall", _Cut("stall")),
    Trouble("reset_at_once", _Plain(Fault("reset", method="GET", times=None))),
    Trouble("stall_at_once", _Plain(Fault("stall", method="GET", times=None))),
    Trouble("stall_once", _Cut("stall", times=1), curable=True),
    Trouble("drip", _drip, curable=True),
    Trouble("flip", _Cut("flip")),
    Trouble("flip_once", _Cut("flip", times=1)),
    Trouble("too_long", _longer),
    Trouble("too_short", _shorter),
    Trouble("gzip", _always("gzip")),
    Trouble("ignore_range", _always("ignore_range"), after_break=True),
    Trouble("wrong_content_range", _elsewhere, after_break=True),
    Trouble("stall_at_cdn", _Cut("stall"), needs="cdn", at_cdn=True),
    Trouble("reset_at_cdn_once", _Cut("reset", times=1), "cdn", at_cdn=True, curable=True),
    Trouble("expired_url", _always("expired_url"), needs="cdn"),
    Trouble("expired_url_once", _Plain(Fault("expired_url")), needs="cdn", curable=True),
    Trouble("expire_tokens", _always("expire_tokens"), needs="tokens", hopeless=True),
    Trouble("expire_tokens_once", _Plain(Fault("expire_tokens")), "tokens", curable=True),
)
