"""Ranges and throughput of a mirror, measured with one layer and at most two requests."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from entrepot.errors import AttemptError, MirrorLied
from entrepot.oci.descriptor import Descriptor
from entrepot.oci.reference import RepositoryName
from entrepot.survey.findings import Ranges, Transfer
from entrepot.survey.panel import Member, Panel
from entrepot.trust.fidelity import unpacked
from entrepot.upstream.blobstream import BlobStream
from entrepot.upstream.limits import Kind

SAMPLE_BYTES = 4 << 20
LONGEST_S = 20.0
_PART_BYTES = 64 << 10
_FEWEST_BYTES = 256 << 10
"""Fewer tell nothing about throughput."""


@dataclass(frozen=True, slots=True)
class Sample:
    """How much is read of a layer at most, and for how long after its first byte."""

    bytes: int = SAMPLE_BYTES
    seconds: float = LONGEST_S


async def measure(
    panel: Panel, member: Member, repository: RepositoryName, layer: Descriptor, sample: Sample
) -> Transfer:
    """Read the beginning of a layer, or all of it, and then a part of that once more."""
    taken = _Taken(layer, sample)
    try:
        await _turn(panel, member)
        await _read(panel, member, repository, taken)
    except AttemptError as error:
        panel.manners.note(member.settings.url, error)
        return replace(taken.transfer(), note=str(error), sound=_sound(error))
    transfer = taken.transfer()
    if transfer.sound:
        transfer = replace(transfer, unpacked=await asyncio.to_thread(unpacked, bytes(taken.body)))
    if transfer.sound is False or len(taken.body) < 2:
        return transfer
    try:
        if panel.manners.refusal(member.settings.url, Kind.BLOB):
            return transfer
        await _turn(panel, member)
        return replace(transfer, ranges=await _part(panel, member, repository, taken))
    except MirrorLied as error:
        return replace(transfer, ranges=Ranges.WRONG, note=str(error))
    except AttemptError as error:
        panel.manners.note(member.settings.url, error)
        return replace(transfer, note=str(error))


class _Taken:
    """What was read so far, with the times it came at."""

    def __init__(self, layer: Descriptor, sample: Sample) -> None:
        self.layer = layer
        self.sample = sample
        self.body = bytearray()
        self.began = self.first = self.last = asyncio.get_running_loop().time()

    def add(self, piece: bytes) -> None:
        self.last = asyncio.get_running_loop().time()
        if not self.body:
            self.first = self.last
        self.body += piece

    @property
    def full(self) -> bool:
        long = bool(self.body) and self.last - self.first >= self.sample.seconds
        return long or len(self.body) >= min(self.layer.size, self.sample.bytes)

    def transfer(self) -> Transfer:
        count, seconds = len(self.body), self.last - self.began
        if not count:
            return Transfer()
        whole = count >= self.layer.size
        return Transfer(
            bytes=count,
            seconds=seconds,
            first_byte_s=self.first - self.began,
            bytes_per_second=count / seconds if count >= _FEWEST_BYTES and seconds else None,
            sound=self.layer.digest.matches(bytes(self.body)) if whole else None,
        )


def _sound(error: AttemptError) -> bool | None:
    return False if isinstance(error, MirrorLied) else None


async def _turn(panel: Panel, member: Member) -> None:
    await panel.manners.turn(member.client, Kind.BLOB)


async def _read(panel: Panel, member: Member, repository: RepositoryName, taken: _Taken) -> None:
    layer = taken.layer
    stop = taken.sample.bytes if layer.size > taken.sample.bytes else None
    stream = await _opened(panel, member, repository, layer, start=0, stop=stop)
    try:
        while not taken.full and (piece := await stream.read()):
            taken.add(piece)
    finally:
        await stream.aclose()


async def _part(panel: Panel, member: Member, repository: RepositoryName, taken: _Taken) -> Ranges:
    """Ask for bytes that are here already, and compare."""
    start = len(taken.body) // 3
    stop = min(start + _PART_BYTES, len(taken.body) - 1)
    stream = await _opened(panel, member, repository, taken.layer, start=start, stop=stop)
    try:
        if stream.stop is None or stream.stop > stop:
            return Ranges.IGNORED
        body = bytearray()
        while len(body) < stop - start and (piece := await stream.read()):
            body += piece
    finally:
        await stream.aclose()
    return Ranges.HONEST if body == taken.body[start:stop] else Ranges.WRONG


async def _opened(
    panel: Panel,
    member: Member,
    repository: RepositoryName,
    layer: Descriptor,
    *,
    start: int,
    stop: int | None,
) -> BlobStream:
    patience_s = member.client.patience_s or panel.timeouts.headers
    try:
        async with asyncio.timeout(patience_s):
            return await member.client.open_blob(
                repository, layer.digest, start=start, stop=stop, expected_size=layer.size
            )
    except TimeoutError as error:
        raise member.client.silence(patience_s) from error
