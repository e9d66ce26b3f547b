"""A configured registry with its mirrors, and in which order to ask them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from entrepot.oci.reference import RepositoryName
from entrepot.upstream.mirror import MirrorClient


@dataclass(frozen=True, slots=True)
class Registry:
    """One registry by its canonical name; `mirrors` in configured order."""

    name: str
    mirrors: tuple[MirrorClient, ...]
    tag_ttl_s: float

    @property
    def offline(self) -> bool:
        """Whether its mirrors may not be asked at all."""
        return any(mirror.offline for mirror in self.mirrors)

    def is_owned_by(self, mirror: str) -> bool:
        """Whether a mirror of that name is the registry that owns these names."""
        return any(one.name == mirror and one.authority for one in self.mirrors)


@dataclass(frozen=True, slots=True)
class AskingOrder:
    """Whom to ask: `usable` one after the other, `last_resort` when all of those failed.

    A mirror is a last resort while its breaker is open or its word is doubted: it is not asked
    ahead of a healthy one, but when nobody else can answer it is better to ask than to fail.
    """

    usable: tuple[MirrorClient, ...]
    last_resort: tuple[MirrorClient, ...]

    def __bool__(self) -> bool:
        return bool(self.usable or self.last_resort)


def asking_order(
    mirrors: Sequence[MirrorClient],
    repository: RepositoryName,
    now: float,
    *,
    prefer: str | None = None,
    without: Collection[str] = (),
    later: Collection[str] = (),
    doubted: Collection[str] = (),
) -> AskingOrder:
    """Order first by configuration, then by health; `now` is the monotonic clock in seconds.

    `prefer` names the mirror whose answer led here: digests of a tag are asked where the tag was
    resolved first (U-11). `without` are not asked at all, `later` only after the others (they just
    broke off), `doubted` as a last resort (they once sent other bytes for this).
    """
    carrying = [m for m in mirrors if m.name not in without and m.carries(repository)]
    carrying.sort(key=lambda m: (m.name in later, m.name != prefer))
    ready = {m.name for m in carrying if m.name not in doubted and m.health.available(now)}
    return AskingOrder(
        usable=tuple(m for m in carrying if m.name in ready),
        last_resort=tuple(m for m in carrying if m.name not in ready),
    )
