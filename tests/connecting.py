"""A MirrorClient on some url, opened and closed around a test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from entrepot.config import MirrorSettings, TimeoutSettings
from entrepot.upstream.mirror import MirrorClient


@asynccontextmanager
async def connected(
    url: str, *, registry: str = "registry.example", stall_s: float = 5.0, **settings: object
) -> AsyncIterator[MirrorClient]:
    """The client of a mirror at `url`; `settings` as in the configuration file."""
    mirror = MirrorSettings.model_validate({"url": url, **settings})
    client = MirrorClient(registry, mirror, TimeoutSettings(stall=stall_s))
    await client.start()
    try:
        yield client
    finally:
        await client.aclose()
