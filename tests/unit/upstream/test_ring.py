from __future__ import annotations

import random

from entrepot.upstream.ring import Ring


def put(ring: Ring, data: bytes, limit: int = 100) -> int:
    room = ring.room(limit)
    count = min(len(room), len(data))
    room[:count] = data[:count]
    ring.fill(count)
    return count


def test_bytes_come_out_as_they_went_in() -> None:
    ring = Ring(8)
    assert put(ring, b"abcde") == 5
    assert (ring.free, ring.waiting) == (3, 5)
    assert bytes(ring.take(2)[1]) == b"ab"
    assert bytes(ring.take(9)[1]) == b"cde"
    assert (ring.free, ring.waiting) == (3, 0)


def test_at_the_end_of_the_memory_it_goes_on_at_the_beginning() -> None:
    ring = Ring(8)
    put(ring, b"abcde")
    offset, part = ring.take(4)
    ring.give_back(offset, len(part))
    assert put(ring, b"fghij") == 3
    assert put(ring, b"ijklm") == 4
    assert ring.free == 0
    assert len(ring.room(9)) == 0
    assert bytes(ring.take(9)[1]) == b"efgh"
    assert bytes(ring.take(9)[1]) == b"ijkl"


def test_parts_may_come_back_in_any_order() -> None:
    ring = Ring(8)
    put(ring, b"abcdefgh")
    first, second = ring.take(3), ring.take(3)
    ring.give_back(second[0], 3)
    assert ring.free == 0
    ring.give_back(first[0], 3)
    assert ring.free == 6


def test_when_everything_is_back_it_begins_anew() -> None:
    ring = Ring(8)
    for data in (b"abc", b"def", b"ghi", b"jkl"):
        assert put(ring, data) == 3
        offset, part = ring.take(8)
        assert bytes(part) == data
        assert offset == 0
        ring.give_back(offset, len(part))


def test_no_more_is_taken_in_than_is_wanted() -> None:
    assert len(Ring(8).room(5)) == 5


def test_parts_that_are_out_outlive_it() -> None:
    ring = Ring(8)
    put(ring, b"abc")
    _, part = ring.take(8)
    ring.close()
    assert bytes(part) == b"abc"


def test_a_long_story() -> None:
    chance, ring = random.Random(3), Ring(64)
    truth = chance.randbytes(5000)
    sent, got, out = 0, bytearray(), []
    while len(got) < len(truth):
        match chance.randrange(3):
            case 0:
                sent += put(ring, truth[sent : sent + chance.randrange(40)])
            case 1:
                offset, part = ring.take(1 + chance.randrange(40))
                got += part
                if part:
                    out.append((offset, len(part)))
            case 2 if out:
                ring.give_back(*out.pop(chance.randrange(len(out))))
    assert got == truth
