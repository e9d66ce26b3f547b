"""A blob put together from several mirrors is wrong: find whose bytes they are, keep the others'.

Nobody is trusted here, only the digest is. For one suspect after the other, what it sent is asked
of another mirror and compared; where they differ the other's bytes are put in their place, and when
the whole then verifies the suspect is the liar. Each suspect is doubted once, so this ends after at
most one more download of the blob.
"""

from __future__ import annotations

import asyncio
import os
from typing import BinaryIO

import structlog

from entrepot.errors import AttemptError
from entrepot.mirror.fetch import Fetch
from entrepot.store.partial import Partial

log = structlog.get_logger(__name__)


async def find_liar(fetch: Fetch, partial: Partial, *, resumed: bool) -> str | None:
    """The mirror whose bytes were wrong, after mending them; None when it cannot be told.

    With one contributor, or bytes of unknown origin from before a restart, there is nothing to
    compare. Raises StoreError.
    """
    suspects = sorted(fetch.contributions.mirrors)
    if resumed or len(suspects) < 2:
        return None
    file = await partial.open_reader()
    try:
        for suspect in suspects:
            for witness in fetch.sources.others(suspect):
                try:
                    differ = await _compare(fetch, partial, file, suspect, witness)
                except AttemptError as error:
                    log.info("liar.no_witness", mirror=witness, reason=str(error))
                    continue
                log.info("liar.compared", mirror=suspect, witness=witness, differ=differ)
                if differ and await partial.verify():
                    return suspect
                break
    finally:
        file.close()
    return None


async def _compare(
    fetch: Fetch, partial: Partial, file: BinaryIO, suspect: str, witness: str
) -> bool:
    """Put the witness's bytes where they differ from the suspect's; whether any did.

    From the first difference in a part on the rest of it is replaced: each replacement costs the
    hash a reading of everything before it. Raises AttemptError when the witness cannot tell.
    """
    differ = False
    for start, stop in fetch.contributions.of(suspect):
        at = start
        stream = await fetch.open_part(witness, start, stop)
        try:
            while at < stop and (data := await stream.read()):
                data = data[: stop - at]
                known = partial.written.covers(at, stop)
                if (
                    known
                    and await asyncio.to_thread(os.pread, file.fileno(), len(data), at) != data
                ):
                    await partial.forget(at, stop)
                    known = False
                if not known:
                    differ = True
                    await partial.write(at, data)
                at += len(data)
        finally:
            await stream.aclose()
    if differ:
        fetch.contributions.replace(suspect, witness)
    return differ
