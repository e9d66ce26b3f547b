from __future__ import annotations

import pytest

from entrepot.store.chunk import Chunk

CHUNK = Chunk(10, (memoryview(b"abc"), memoryview(b"defg")))


def test_a_chunk_knows_where_it_ends() -> None:
    assert CHUNK.stop == 17


@pytest.mark.parametrize(
    ("start", "stop", "kept"),
    [(10, 17, b"abcdefg"), (11, 12, b"b"), (12, 14, b"cd"), (13, 17, b"defg"), (17, 17, b"")],
)
def test_a_part_of_a_chunk(start: int, stop: int, kept: bytes) -> None:
    part = CHUNK.cut(start, stop)
    assert b"".join(part.buffers) == kept
    assert (part.start, part.stop) == (start, start + len(kept))


def test_a_part_shares_the_memory() -> None:
    memory = bytearray(b"abcdefg")
    part = Chunk(10, (memoryview(memory),)).cut(12, 15)
    memory[3:4] = b"D"
    assert b"".join(part.buffers) == b"cDe"
    assert part.cut(13, 13).buffers == ()
