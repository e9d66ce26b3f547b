from __future__ import annotations

import resource
import struct
import zlib
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.store.journal import (
    RECORD_BYTES,
    Journal,
    Kind,
    Record,
    Trusted,
    decode,
    replay,
    this_boot,
)
from entrepot.store.rangeset import EMPTY, RangeSet

BOOT = UUID("00000000-0000-4000-8000-00000000beef")
OTHER = UUID("ffffffff-ffff-4fff-bfff-ffffffffffff")
numbers = st.integers(0, 2**64 - 1)
records = st.builds(Record, st.sampled_from(Kind), numbers, numbers)


def boot_record(boot: UUID = BOOT) -> Record:
    return Record(Kind.BOOT, *divmod(boot.int, 1 << 64))


def encoded(*tail: Record) -> bytes:
    return b"".join(bytes(record) for record in (boot_record(), *tail))


@given(st.lists(records, max_size=20))
def test_records_come_back_as_they_were(lines: list[Record]) -> None:
    data = b"".join(bytes(line) for line in lines)
    assert len(data) == RECORD_BYTES * len(lines)
    assert list(decode(data)) == lines


@given(st.lists(records, min_size=1, max_size=20), st.data())
def test_a_torn_journal_reads_as_its_whole_records(
    lines: list[Record], data: st.DataObject
) -> None:
    whole = b"".join(bytes(line) for line in lines)
    cut = data.draw(st.integers(0, len(whole)))
    assert list(decode(whole[:cut])) == lines[: cut // RECORD_BYTES]


@given(st.lists(records, min_size=1, max_size=20), st.data())
def test_a_flipped_bit_ends_the_reading_there(lines: list[Record], data: st.DataObject) -> None:
    whole = bytearray(b"".join(bytes(line) for line in lines))
    bit = data.draw(st.integers(0, len(whole) * 8 - 1))
    whole[bit // 8] ^= 1 << (bit % 8)
    assert list(decode(bytes(whole))) == lines[: bit // 8 // RECORD_BYTES]


@given(st.lists(records, max_size=20), st.booleans())
def test_no_content_makes_replay_fail(lines: list[Record], headed: bool) -> None:
    head = bytes(boot_record()) if headed else b""
    trusted = replay(head + b"".join(bytes(line) for line in lines), BOOT)
    assert not any(trusted.written.missing(*interval) for interval in trusted.durable)


def test_zeros_are_not_a_journal() -> None:
    assert replay(bytes(RECORD_BYTES * 4), BOOT) == Trusted()


def test_in_the_same_boot_everything_counts() -> None:
    data = encoded(Record(Kind.SIZE, 100), Record(Kind.DATA, 0, 10), Record(Kind.DATA, 50, 60))
    assert replay(data, BOOT) == Trusted(100, RangeSet(((0, 10), (50, 60))), EMPTY)


def test_after_another_boot_only_what_was_synced_counts() -> None:
    data = encoded(
        Record(Kind.DATA, 0, 10),  # record 1
        Record(Kind.DATA, 10, 20),  # record 2
        Record(Kind.SYNC, 2),  # records 0 and 1
        Record(Kind.DATA, 20, 30),
    )
    assert replay(data, OTHER).written == RangeSet(((0, 10),))
    assert replay(data, BOOT).written == RangeSet(((0, 30),))


def test_a_drop_takes_back_what_was_durable() -> None:
    data = encoded(
        Record(Kind.DATA, 0, 30),
        Record(Kind.SYNC, 2),
        Record(Kind.DROP, 10, 20),
        Record(Kind.DATA, 10, 20),
    )
    assert replay(data, OTHER).written == RangeSet(((0, 10), (20, 30)))
    assert replay(data, BOOT).written == RangeSet(((0, 30),))


def test_a_journal_without_its_head_is_worth_nothing() -> None:
    assert replay(bytes(Record(Kind.DATA, 0, 10)), BOOT) == Trusted()


def test_a_short_file_limits_what_is_trusted() -> None:
    trusted = Trusted(9, RangeSet(((0, 4), (6, 9))), RangeSet(((6, 9),)))
    assert trusted.within(7) == Trusted(9, RangeSet(((0, 4), (6, 7))), RangeSet(((6, 7),)))
    assert trusted.within(100) == trusted


@pytest.mark.parametrize("boot", [BOOT, OTHER], ids=["same boot", "other boot"])
def test_a_journal_started_from_a_state_says_that_state(tmp_path: Path, boot: UUID) -> None:
    state = Trusted(70, RangeSet(((0, 30), (40, 50))), RangeSet(((10, 20), (40, 50))))
    Journal.start(tmp_path / "map", state, BOOT).close()
    found = replay((tmp_path / "map").read_bytes(), boot)
    assert found == (state if boot == BOOT else Trusted(70, state.durable, state.durable))


def test_appended_records_are_read_back(tmp_path: Path) -> None:
    journal = Journal.start(tmp_path / "map", Trusted(), BOOT)
    journal.append(Record(Kind.SIZE, 5))
    journal.append(Record(Kind.DATA, 0, 5))
    journal.fsync()
    journal.close()
    assert replay((tmp_path / "map").read_bytes(), BOOT).written == RangeSet(((0, 5),))
    assert not (tmp_path / "map.new").exists()


def test_a_failed_start_leaves_no_descriptor(tmp_path: Path) -> None:
    (tmp_path / "map").mkdir()
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(OSError):
        Journal.start(tmp_path / "map", Trusted(), BOOT)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_an_unknown_record_ends_the_reading() -> None:
    body = struct.pack("<4sQQ", b"what", 0, 10)
    unknown = body + struct.pack("<I", zlib.crc32(body))
    assert list(decode(encoded() + unknown + bytes(boot_record()))) == [boot_record()]


def test_a_record_that_fits_only_in_part_is_overwritten_by_the_next(tmp_path: Path) -> None:
    journal = Journal.start(tmp_path / "map", Trusted(), BOOT)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2 * RECORD_BYTES + 10, hard))
    try:
        with pytest.raises(OSError, match="No space"):
            journal.append(Record(Kind.DATA, 0, 10))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert replay((tmp_path / "map").read_bytes(), BOOT) == Trusted()
    journal.append(Record(Kind.DATA, 20, 30))
    journal.close()
    assert replay((tmp_path / "map").read_bytes(), BOOT).written == RangeSet(((20, 30),))


def test_the_boot_id_is_the_kernels_and_does_not_change() -> None:
    assert (
        this_boot()
        == this_boot()
        == UUID(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
    )


def test_without_a_boot_id_every_start_is_another_boot(tmp_path: Path) -> None:
    assert this_boot(tmp_path / "missing") != this_boot(tmp_path / "missing")
    (tmp_path / "odd").write_text("not an id")
    assert this_boot(tmp_path / "odd") != uuid4()
