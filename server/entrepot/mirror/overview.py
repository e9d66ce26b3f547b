"""What an operator sees at a glance: downloads in progress, mirrors, sums, the disk.

All of it is told as documents, which become pages, JSON and lines on a terminal.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from entrepot import __version__
from entrepot.metrics import Metrics
from entrepot.mirror.documents import Document, time_text
from entrepot.mirror.fetch import Fetch
from entrepot.mirror.fill import Fill
from entrepot.mirror.fills import Fills
from entrepot.mirror.history import History, Step
from entrepot.mirror.library import Library
from entrepot.mirror.rates import Rates
from entrepot.mirror.registry import Registry
from entrepot.upstream.mirror import MirrorClient

Span: TypeAlias = Literal["hour", "day"]

NEXT_TO_GO = 5
_MOST_FILLS = 200


@dataclass(slots=True)
class Overview:
    """Looks; changes nothing. `registries` gives those of now, `clock` is the wall clock."""

    library: Library
    fills: Fills
    metrics: Metrics
    history: History
    registries: Callable[[], dict[str, Registry]]
    private: Callable[[], frozenset[str]]
    clock: Callable[[], float]
    began_at: float = field(init=False)
    _rates: Rates = field(default_factory=Rates)

    def __post_init__(self) -> None:
        self.began_at = self.clock()

    def live(self, *, insider: bool = False) -> Document:
        """Tell what changes from second to second; nothing is waited for.

        Without `insider` downloads of private registries have no name.
        """
        outbound = self.library.outbound
        return {
            "at": time_text(self.clock()),
            "version": __version__,
            "uptime_seconds": round(self.clock() - self.began_at, 1),
            "offline": outbound is not None and outbound.offline,
            "totals": self._totals(),
            "fills": self._fills(insider=insider),
            "mirrors": self._mirrors(),
        }

    async def whole(self, *, insider: bool = False) -> Document:
        """Tell everything. Raises StoreError."""
        going = await self.library.room.next_to_go(NEXT_TO_GO)
        hidden = frozenset() if insider else self.private()
        return {
            **self.live(insider=insider),
            "disk": await self._disk(),
            "next_to_go": [
                {"name": ", ".join(names), "bytes": one.bytes, "used_at": time_text(one.used_at)}
                for one in going
                if (names := [n for n in one.names if n.partition("/")[0] not in hidden])
            ],
            "hour": self.steps("hour"),
            "day": self.steps("day"),
        }

    def steps(self, span: Span) -> list[Document]:
        """Tell how it went of late."""
        steps = self.history.hour() if span == "hour" else self.history.day()
        return [_step(step) for step in steps]

    def _totals(self) -> Document:
        tally = self.metrics.tally
        return {
            "requests": tally.requests,
            "hits": tally.hits,
            "errors": tally.errors,
            "failed": tally.failed,
            "hit_rate": tally.hits / tally.requests if tally.requests else None,
            "sent_bytes": tally.sent_bytes,
            "fetched_bytes": tally.fetched_bytes,
            "saved_bytes": tally.sent_bytes - tally.fetched_bytes,
        }

    def _fills(self, *, insider: bool) -> list[Document]:
        hidden = frozenset() if insider else self.private()
        found = sorted(self.fills, key=lambda fill: -self.fills.age_s(fill))[:_MOST_FILLS]
        self._rates.forget_others(found)
        return [_fill(one, self.fills.age_s(one), self._rates, hidden) for one in found]

    def _mirrors(self) -> list[Document]:
        now, wall = asyncio.get_running_loop().time(), self.clock()
        fetched = self.metrics.tally.fetched_from
        return [
            _mirror(mirror, now, wall, fetched.get((registry.name, mirror.name), 0))
            for registry in self.registries().values()
            for mirror in registry.mirrors
        ]

    async def _disk(self) -> Document:
        status = await self.library.status()
        free, size = await self.library.room.store.disk_space()
        return {
            "blobs": status.held.blobs,
            "bytes": status.held.bytes,
            "max_size": status.limits.max_size,
            "min_free": status.limits.min_free,
            "free": free,
            "size": size,
            "unfinished_bytes": status.unfinished.bytes,
            "unfinished": status.unfinished.blobs,
            "rotten": status.scrub.rotten,
            "scrubbed_at": time_text(status.scrub.kept_hashed_at),
        }


def _fill(fill: Fill, age_s: float, rates: Rates, hidden: frozenset[str]) -> Document:
    wanted, fetch = fill.wanted, fill.fetch
    there = fetch.partial.written.total if fetch is not None else 0
    size = fill.size if fill.size is not None else wanted.expected_size
    brought = _brought(fetch) if fetch is not None else {}
    grown = rates.look(fill, brought, asyncio.get_running_loop().time(), age_s)
    rate = sum(grown.values())
    return {
        "digest": str(wanted.digest),
        "registry": wanted.registry.name,
        "repository": None if wanted.registry.name in hidden else str(wanted.repository),
        "size": size,
        "bytes": there,
        "readers": len(fill.places),
        "seconds": round(age_s, 1),
        "rate": rate,
        "seconds_left": (size - there) / rate if size is not None and rate > 0 else None,
        "through_memory": fill.window is not None,
        "mirrors": [
            {"name": name, "bytes": count, "rate": grown.get(name, 0.0)}
            for name, count in brought.items()
        ],
    }


def _brought(fetch: Fetch) -> dict[str, int]:
    """How many bytes came from whom."""
    parts = fetch.contributions
    return {
        name: sum(stop - start for start, stop in parts.of(name)) for name in sorted(parts.mirrors)
    }


def _mirror(mirror: MirrorClient, now: float, wall: float, fetched_bytes: int) -> Document:
    health = mirror.health
    failed = health.last_failure
    return {
        "registry": mirror.registry,
        "name": mirror.name,
        "state": "throttled" if now < health.throttled_until else health.state(now),
        "ready_in": health.ready_in(now),
        "latency": health.latency,
        "latency_p90": health.latency_percentile("manifest", 0.9),
        "throughput": health.throughput,
        "bytes": fetched_bytes,
        "last_error": failed[1] if failed is not None else None,
        "last_error_at": time_text(wall - (now - failed[0])) if failed is not None else None,
    }


def _step(step: Step) -> Document:
    return {
        "at": step.at,
        "seconds": step.seconds,
        "hit_rate": step.hit_rate,
        "sent_bytes": step.sent_bytes,
        "fetched_bytes": step.fetched_bytes,
        "saved_bytes": step.saved_bytes,
    }
