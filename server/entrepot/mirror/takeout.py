"""Taking whole images out: rows first, then files, and nothing that somebody works with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import structlog

from entrepot.errors import StoreError
from entrepot.mirror.accounts import Accounts
from entrepot.mirror.leases import Leases
from entrepot.oci.digest import Digest
from entrepot.store.record import BlobRecord, Removed, TagKey

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class TakenOut:
    """What has gone; `spared` was in use at that moment, whatever it belongs to."""

    tags: tuple[TagKey, ...]
    manifests: tuple[Digest, ...]
    blobs: frozenset[Digest]
    bytes: int
    spared: frozenset[Digest]


@dataclass(frozen=True, slots=True)
class TakeOut:
    """Removes images of one cache. `clock` is the wall clock, `forget` hears of manifests gone."""

    accounts: Accounts
    leases: Leases
    clock: Callable[[], float]
    forget: Callable[[Iterable[Digest]], None]

    def busy(self) -> set[Digest]:
        """What somebody reads or fetches at this moment."""
        return self.leases.digests() | self.accounts.flights.keys()

    async def images(
        self,
        roots: Sequence[Digest],
        parts: Mapping[Digest, int],
        named: Mapping[Digest, int] | None = None,
    ) -> TakenOut:
        """Remove `roots` with their tags, and those of `parts` that nobody else needs or uses.

        `parts` are all their blobs with their sizes: whoever wants to put one of them back waits
        for the end. What is in use at the call stays, and so does what comes into use before its
        file has gone. So does a root with more tags than `named` says, those that it had when it
        was chosen: somebody has just got it. Raises StoreError when the catalog cannot be told.
        """
        catalog, store = self.accounts.catalog, self.accounts.store
        # No await before the request: what comes into use now, comes too late.
        busy = self.busy()
        with (
            self.accounts.leaving(sum(parts.values())),
            store.removals.of(list(parts)),
        ):
            removed = await catalog.remove_images(roots, busy, named)
            self.forget(removed.manifests)
            busy |= self.busy()
            gone = await self._remove_files(removed, busy)
            await self.accounts.recount()
        size = sum(gone.values())
        self.accounts.freed(size)
        return TakenOut(removed.tags, removed.manifests, frozenset(gone), size, frozenset(busy))

    async def _remove_files(self, removed: Removed, busy: set[Digest]) -> dict[Digest, int]:
        """Remove the files of rows that are gone; which, and their bytes.

        A blob that somebody has begun to use since is entered again. Files that the disk does not
        let go of have no rows any more: the sweep of the store finds them.
        """
        catalog, store = self.accounts.catalog, self.accounts.store
        gone = {digest: size for digest, size in removed.blobs if digest not in busy}
        with store.removals.of(gone):
            try:
                await store.delete_all(list(gone))
            except StoreError as error:
                log.warning("eviction.not_removed", blobs=len(gone), reason=str(error))
        now = self.clock()
        for digest, size in removed.blobs:
            if digest in busy:
                await catalog.put_blob(BlobRecord(digest, size, added_at=now, used_at=now))
        return gone
