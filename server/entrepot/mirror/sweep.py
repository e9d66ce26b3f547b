"""Old unfinished downloads go: nobody has asked for their rest in a long time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from entrepot.errors import StoreError
from entrepot.store.blobs import BlobStore

_EVERY_S = 3600.0

log = structlog.get_logger(__name__)


async def sweep_partials(
    store: BlobStore, ttl_s: float, clock: Callable[[], float], every_s: float = _EVERY_S
) -> None:
    """Remove partials not written to for `ttl_s` seconds, now and every hour, until cancelled.

    `clock` is the wall clock. A failing disk is logged, and looked at again the next time.
    """
    while True:
        try:
            for dropped in await store.drop_partials(older_than=clock() - ttl_s):
                log.info("partial.dropped", digest=str(dropped.digest), bytes=dropped.written)
        except StoreError as error:
            log.warning("partials.not_swept", reason=str(error))
        await asyncio.sleep(every_s)
