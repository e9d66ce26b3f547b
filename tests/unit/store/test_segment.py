"""Memory that is read like a file."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from entrepot.errors import StoreError
from entrepot.store.segment import Segment

FAR = 5 << 30


def memory_files() -> int:
    links = Path("/proc/self/fd").iterdir()
    return sum("entrepot-relay" in str(link.readlink()) for link in links if link.is_symlink())


def test_bytes_lie_at_the_blobs_own_offsets_and_cost_only_themselves() -> None:
    segment = Segment(FAR, None)
    segment.write(FAR, [memoryview(b"abc"), memoryview(b""), memoryview(b"defg")])
    segment.write(FAR + 7, [memoryview(b"h")] * 600)
    with segment.open() as file:
        assert os.pread(file.fileno(), 9, FAR) == b"abcdefghh"
        status = os.fstat(file.fileno())
        assert status.st_size == FAR + 607
        assert status.st_blocks * 512 <= 8192
    segment.close()


def test_each_file_has_a_position_of_its_own() -> None:
    segment = Segment(0, None)
    segment.write(0, [memoryview(b"abcdef")])
    with segment.open() as one, segment.open() as other:
        assert (one.read(3), other.read(3), one.read(3)) == (b"abc", b"abc", b"def")
    segment.close()


def test_who_has_it_open_reads_on_after_it_was_closed() -> None:
    before = memory_files()
    segment = Segment(0, hashlib.sha256())
    segment.write(0, [memoryview(b"abc")])
    file = segment.open()
    segment.close()
    segment.close()
    assert file.read() == b"abc"
    file.close()
    assert memory_files() == before
    with pytest.raises(StoreError, match="given back"):
        segment.open()
    with pytest.raises(StoreError, match="given back"):
        segment.write(3, [memoryview(b"d")])


def test_nothing_to_open_before_anything_was_written() -> None:
    segment = Segment(7, None)
    with pytest.raises(StoreError):
        segment.open()
    segment.close()
    assert repr(segment) == "<Segment [7, 7)>"
