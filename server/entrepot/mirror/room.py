"""Room on the disk: what fills put there is entered in the catalog and counted here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import structlog

from entrepot.errors import StoreError
from entrepot.mirror.wanted import Wanted
from entrepot.store.catalog import Catalog
from entrepot.store.record import BlobRecord

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Room:
    """`clock` is the wall clock."""

    catalog: Catalog
    clock: Callable[[], float]

    async def kept(self, wanted: Wanted, size: int, mirrors: str, seconds: float) -> None:
        """Enter a blob that has just become durable; `seconds` is how long its download took.

        A catalog that cannot be written costs nothing now: the sweep finds the file later.
        """
        now = self.clock()
        record = BlobRecord(
            digest=wanted.digest,
            size=size,
            added_at=now,
            used_at=now,
            registry=wanted.registry.name,
            mirror=mirrors,
            seconds=seconds,
        )
        try:
            await self.catalog.put_blob(record)
        except StoreError as error:
            log.warning("blob.not_entered", digest=str(wanted.digest), reason=str(error))
