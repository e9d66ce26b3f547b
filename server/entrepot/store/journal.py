"""The map of a download: an append-only journal that tells which of its bytes can be trusted.

Fixed records of 24 bytes: a 4-byte kind, two unsigned 64-bit numbers, a CRC-32 of those, all
little-endian. The first record is the id of the boot the journal was started in.

    boot  high half, low half of the boot id
    size  the expected length of the whole, 0
    data  start, stop: these bytes have been handed to the kernel
    drop  start, stop: forget these bytes
    sync  n, 0: what the first n records say has been fsynced

A process may die at any moment and the kernel still has what it was handed, so in the same boot
every record counts. After a power cut only what was marked with `sync` does. Reading ends at the
first record that is torn.
"""

from __future__ import annotations

import errno
import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from uuid import UUID, uuid4

from entrepot.store.placement import fsync_directory
from entrepot.store.rangeset import EMPTY, RangeSet

_BODY = struct.Struct("<4sQQ")
_CRC = struct.Struct("<I")
RECORD_BYTES = _BODY.size + _CRC.size

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_HALF = 1 << 64


class Kind(Enum):
    """What a record says; see the module."""

    BOOT = b"boot"
    SIZE = b"size"
    DATA = b"data"
    DROP = b"drop"
    SYNC = b"sync"


@dataclass(frozen=True, slots=True)
class Record:
    """One line of the journal."""

    kind: Kind
    start: int
    stop: int = 0

    def __bytes__(self) -> bytes:
        body = _BODY.pack(self.kind.value, self.start, self.stop)
        return body + _CRC.pack(zlib.crc32(body))


@dataclass(frozen=True, slots=True)
class Trusted:
    """What a journal vouches for. `durable` is the part of `written` that outlives a power cut."""

    size: int | None = None
    written: RangeSet = EMPTY
    durable: RangeSet = EMPTY

    def within(self, length: int) -> Trusted:
        """Return what remains when the file itself has only `length` bytes."""
        end = max(self.written.end, length)
        return Trusted(
            self.size, self.written.remove(length, end), self.durable.remove(length, end)
        )


def this_boot(source: Path = _BOOT_ID) -> UUID:
    """Read the kernel's boot id; a new one each time where there is none, so nothing is trusted."""
    try:
        return UUID(source.read_text().strip())
    except (OSError, ValueError):
        return uuid4()


def decode(data: bytes) -> Iterator[Record]:
    """Read records up to the end, or up to the first one that is torn or unknown."""
    for at in range(0, len(data) - RECORD_BYTES + 1, RECORD_BYTES):
        (crc,) = _CRC.unpack_from(data, at + _BODY.size)
        if zlib.crc32(data[at : at + _BODY.size]) != crc:
            return
        tag, start, stop = _BODY.unpack_from(data, at)
        try:
            kind = Kind(tag)
        except ValueError:
            return
        yield Record(kind, start, stop)


def replay(data: bytes, boot: UUID) -> Trusted:
    """Judge a journal read back in the boot `boot`; never raises for what the file contains."""
    records = list(decode(data))
    if not records or records[0].kind is not Kind.BOOT:
        return Trusted()
    synced = max((r.start for r in records if r.kind is Kind.SYNC), default=0)
    size: int | None = None
    written = durable = EMPTY
    for index, record in enumerate(records):
        start, stop = record.start, record.stop
        if record.kind is Kind.SIZE:
            size = start
        elif record.kind is Kind.DATA and start <= stop:
            written = written.add(start, stop)
            durable = durable.add(start, stop) if index < synced else durable
        elif record.kind is Kind.DROP and start <= stop:
            written = written.remove(start, stop)
            durable = durable.remove(start, stop)
    same_boot = UUID(int=records[0].start * _HALF + records[0].stop) == boot
    return Trusted(size, written if same_boot else durable, durable)


class Journal:
    """The open journal of one download; the caller sees to it that calls do not overlap."""

    def __init__(self, descriptor: int, records: int) -> None:
        self._descriptor = descriptor
        self.records = records

    @classmethod
    def start(cls, path: Path, trusted: Trusted, boot: UUID) -> Journal:
        """Replace whatever is at `path` by a journal that says just `trusted`; durable at once."""
        records = [Record(Kind.BOOT, *divmod(boot.int, _HALF))]
        if trusted.size is not None:
            records.append(Record(Kind.SIZE, trusted.size))
        records += [Record(Kind.DATA, *interval) for interval in trusted.durable]
        records.append(Record(Kind.SYNC, len(records)))
        records += [Record(Kind.DATA, *interval) for interval in trusted.written]
        fresh = path.with_suffix(".new")
        descriptor = os.open(
            fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
        )
        try:
            journal = cls(descriptor, 0)
            journal.append(*records)
            journal.fsync()
            fresh.rename(path)
            fsync_directory(path.parent)
        except BaseException:
            os.close(descriptor)
            raise
        return journal

    def append(self, *records: Record) -> None:
        """Hand records to the kernel. One that fits only in part is overwritten by the next."""
        data = b"".join(bytes(record) for record in records)
        taken = os.pwrite(self._descriptor, data, self.records * RECORD_BYTES)
        self.records += taken // RECORD_BYTES
        if taken < len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def fsync(self) -> None:
        """Make everything appended so far durable."""
        os.fsync(self._descriptor)

    def close(self) -> None:
        """Close the file; not safe to call twice."""
        os.close(self._descriptor)
