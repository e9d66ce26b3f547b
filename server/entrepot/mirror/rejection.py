"""What follows for mirrors whose bytes were wrong."""

from __future__ import annotations

from collections.abc import Collection

import structlog

from entrepot.errors import Attempt, MirrorLied
from entrepot.mirror.fetch import Fetch

log = structlog.get_logger(__name__)


def reject(fetch: Fetch, mirrors: Collection[str]) -> None:
    """Never ask them again in this fetch, and only as a last resort for an hour; tell of it."""
    wanted = fetch.wanted
    for mirror in mirrors:
        fetch.give_up_on(mirror)
        fetch.set_aside.lied(wanted, mirror)
        fetch.metrics.rejected(wanted.registry.name, mirror)
        lied = MirrorLied(f"sent bytes that are not {wanted.digest}")
        fetch.attempts.append(Attempt(mirror, wanted.repository, lied.outcome, str(lied)))
    log.warning(
        "fill.wrong_bytes",
        digest=str(wanted.digest),
        mirror=",".join(sorted(fetch.contributions.mirrors)),
        set_aside=sorted(mirrors),
        bytes=fetch.partial.written.total,
    )
