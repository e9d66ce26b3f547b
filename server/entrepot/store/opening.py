"""One cache directory, opened and closed as a whole, and how the last one to use it ended."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from entrepot.errors import StoreError
from entrepot.store.blobs import BlobStore
from entrepot.store.catalog import Catalog

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Cache:
    """An open cache. `clean`: the last process that used it ended in order, all was written.

    `agrees`: files and catalog do, because of that or because they have been swept since. Without
    it a good end is no good end: a short command must not hide that a server was killed.
    """

    store: BlobStore
    catalog: Catalog
    clean: bool
    agrees: bool = field(init=False)

    def __post_init__(self) -> None:
        # an incomplete one is swept at the next start, whatever the mark says
        self.agrees = self.clean or self.catalog.incomplete


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[Cache]:
    """Open the cache at `path`, for a server or for a command; nobody else may use it meanwhile.

    Raises StoreLocked, StoreTooNew or another StoreError, with words for the operator. Takes the
    same time however much there is. That nothing was left undone is noted at the end, unless
    something was, or the block ends with an exception.
    """
    async with AsyncExitStack() as stack:
        store = BlobStore(path)
        await store.open()
        stack.push_async_callback(store.aclose)
        # Taken away before anything is written: what comes now may not come to its end.
        clean = await store.take_mark()
        catalog = Catalog(store.layout.catalog, store.ballast)
        await catalog.open()
        await store.keep_reserve()
        cache = Cache(store, catalog, clean)
        try:
            yield cache
        except BaseException:
            await catalog.aclose()
            raise
        await catalog.aclose()
        if catalog.unwritten or not cache.agrees:
            return
        try:
            await store.put_mark()
        except StoreError as error:  # costs a sweep at the next start
            log.warning("cache.not_marked", reason=str(error))
