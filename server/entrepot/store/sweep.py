"""The sweep: files and catalog are brought to agree again, and what is left over goes.

A crash, or a write that failed, may leave a file that the catalog has not heard of, or the other
way round. The sweep looks at every file once, in small steps and beside everything else that goes
on. Whoever works on a blob meanwhile changes the file and then its row, or the row and then the
file; so whatever the sweep does to a row, it looks at the file again afterwards.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import structlog

from entrepot.errors import StoreError
from entrepot.oci.digest import Digest
from entrepot.store.adoption import Looked, adoption, look_into
from entrepot.store.blobs import BlobStore
from entrepot.store.catalog import Catalog
from entrepot.store.layout import Layout
from entrepot.store.notes import note_swept
from entrepot.store.orphans import (
    drop_dangling_manifests,
    drop_dangling_tags,
    drop_orphans,
    orphans,
)
from entrepot.store.quarantine import Quarantine
from entrepot.store.threads import DiskThreads
from entrepot.store.walk import Found, Part, compared, exists, listed, parts, strays

ORPHAN_GRACE_S = 3600.0
"""A pull gets the manifest first; but one whose manifest could not be kept goes on for a while."""

_ROWS = "SELECT digest, size FROM blobs WHERE digest >= ? AND digest < ?"
_ADOPTED_AT_ONCE = 64
_LONGEST_REST_S = 1.0

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class SweepReport:
    """What a sweep found and did. `orphan_bytes` are bytes, everything else counts things."""

    files: int = 0
    adopted: int = 0
    manifests: int = 0
    lost: int = 0
    resized: int = 0
    odd: int = 0
    partials: int = 0
    dangling: int = 0
    tags: int = 0
    orphans: int = 0
    orphan_bytes: int = 0
    failed: int = 0

    def counts(self) -> dict[str, int]:
        """Everything that is not 0, and the files."""
        told = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: n for name, n in told.items() if n or name == "files"}


@dataclass(slots=True)
class Sweep:
    """Sweeps one cache. `clock` is the wall clock.

    `suspect` is told of files that are not as long as they should be; it moves them out of the way
    if they are rotten. `leaving` says of a digest that somebody is removing it at this moment,
    `in_use` that somebody works with it: it is no orphan then.
    """

    store: BlobStore
    catalog: Catalog
    quarantine: Quarantine
    threads: DiskThreads
    suspect: Callable[[Digest], Awaitable[object]]
    clock: Callable[[], float]
    leaving: Callable[[Digest], bool] = lambda _: False
    in_use: Callable[[Digest], bool] = lambda _: False

    async def run(self, *, grace_s: float = ORPHAN_GRACE_S, share: float = 1.0) -> SweepReport:
        """Look at everything. Orphans go that nobody has used for `grace_s`; 0 is all of them.

        Of the time it takes, the disk is worked on for `share`. Raises StoreError only when the
        catalog cannot be used; what a single file refuses is counted and logged.
        """
        report, began_at, generation = SweepReport(), self.clock(), self.catalog.generation
        rebuilding = self.catalog.incomplete
        await self._odd(await self.threads.run(lambda: strays(self.store.layout)), report)
        for part in parts():
            began = asyncio.get_running_loop().time()
            await self._part(part, report)
            await _rest(asyncio.get_running_loop().time() - began, share)
        report.tags = await drop_dangling_tags(self.catalog)
        report.dangling = await drop_dangling_manifests(self.catalog)
        await self._partials(report)
        # What a rebuild did not recognise is not thrown away at once.
        if not rebuilding or grace_s == 0:
            await self._orphans(began_at - grace_s, report)
        await note_swept(self.catalog, generation, began_at)
        return report

    async def adopt(self, found: Sequence[Found], report: SweepReport) -> None:
        """Enter files that have no row, whatever they are; those that go meanwhile stay out."""
        told = await self.threads.run(lambda: [_look(self.store.layout, each) for each in found])
        for path, error in (one for one in told if isinstance(one, tuple)):
            _failed(report, path, error)
        looked = [one for one in told if isinstance(one, Looked)]
        # No await between this look and handing it over: who removes them from now on comes after.
        looked = [one for one in looked if one.found.digest not in self.store.removals]
        if not looked:
            return
        await self.catalog.write(adoption(looked))
        report.adopted += len(looked)
        report.manifests += sum(one.manifest is not None for one in looked)
        gone = await self._gone([one.found.digest for one in looked])
        if gone:
            report.adopted -= len(gone)
            await self.forget(gone, report)

    async def forget(self, digests: Sequence[Digest], report: SweepReport) -> None:
        """Forget files that are gone, but not those that have come back meanwhile."""
        removed = await self.catalog.remove_blobs(digests)
        report.lost += len(removed.blobs)
        gone = set(await self._gone(digests))
        back = [digest for digest in digests if digest not in gone]
        if back:
            layout = self.store.layout
            again = await self.threads.run(lambda: [_found(layout.blob(d), d) for d in back])
            await self.adopt([each for each in again if each is not None], report)

    async def _part(self, part: Part, report: SweepReport) -> None:
        layout = self.store.layout
        try:
            listing = await self.threads.run(lambda: listed(layout, part))
        except StoreError as error:
            _failed(report, layout.blobs / part.algorithm / part.prefix, error)
            return
        # after the listing: a blob that comes in between has a row and is looked at again
        rows = await self.catalog.survey(_ROWS, *part.range)
        told = await self.threads.run(
            lambda: compared(layout, listing, {Digest.parse(str(d)): int(n) for d, n in rows})
        )
        report.files += len(listing.found)
        await self._odd(listing.odd, report)
        for at in range(0, len(told.unknown), _ADOPTED_AT_ONCE):
            await self.adopt(told.unknown[at : at + _ADOPTED_AT_ONCE], report)
        if told.lost:
            await self.forget(told.lost, report)
        for digest in told.resized:
            report.resized += 1
            await self.suspect(digest)

    async def _odd(self, paths: Sequence[Path], report: SweepReport) -> None:
        for path in paths:
            take = functools.partial(self.quarantine.take, path, self.clock())
            try:
                taken = await self.threads.run(take)
            except StoreError as error:
                _failed(report, path, error)
                continue
            report.odd += 1
            log.warning("sweep.odd", path=str(path), moved=str(taken))

    async def _partials(self, report: SweepReport) -> None:
        """Downloads of which there is nothing, or which are whole elsewhere, are nobody's."""
        try:
            for info in await self.store.partials():
                path = self.store.layout.blob(info.digest)
                if info.written and not await self.threads.run(path.exists):
                    continue
                report.partials += await self.store.drop_partial(info.digest)
            await self._odd(await self.store.odd_partials(), report)
        except StoreError as error:
            _failed(report, self.store.layout.partials, error)

    async def _orphans(self, unused_since: float, report: SweepReport) -> None:
        async for digests in orphans(self.catalog, unused_since):
            going = [d for d in digests if not self.leaving(d) and not self.in_use(d)]
            with self.store.removals.of(going):
                await self._drop_orphans(going, unused_since, report)

    async def _drop_orphans(
        self, digests: Sequence[Digest], unused_since: float, report: SweepReport
    ) -> None:
        for digest, size in await drop_orphans(self.catalog, digests, unused_since):
            try:
                await self.store.delete(digest)
            except StoreError as error:  # found again by the next sweep (P10)
                _failed(report, self.store.layout.blob(digest), error)
                continue
            report.orphans += 1
            report.orphan_bytes += size

    async def _gone(self, digests: Sequence[Digest]) -> list[Digest]:
        layout = self.store.layout
        return await self.threads.run(lambda: [d for d in digests if not exists(layout, d)])


def _look(layout: Layout, found: Found) -> Looked | tuple[Path, OSError] | None:
    try:
        return look_into(layout, found)
    except OSError as error:
        return layout.blob(found.digest), error


def _found(path: Path, digest: Digest) -> Found | None:
    try:
        status = path.lstat()
    except FileNotFoundError:
        return None
    return Found(digest, status.st_size, status.st_mtime)


def _failed(report: SweepReport, path: Path, error: StoreError | OSError) -> None:
    report.failed += 1
    log.warning("sweep.failed", path=str(path), reason=str(error))


async def _rest(worked_s: float, share: float) -> None:
    """Leave the disk to others for as long as `share` says, but never for long."""
    await asyncio.sleep(min(worked_s * (1 / share - 1), _LONGEST_REST_S))
