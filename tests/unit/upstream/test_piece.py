from __future__ import annotations

import pytest

from entrepot.upstream.piece import Piece


class Count:
    """Counts how often memory was given back."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> None:
        self.calls += 1


@pytest.mark.parametrize(
    ("limit", "kept"),
    [(0, []), (2, [b"ab"]), (3, [b"abc"]), (4, [b"abc", b"d"]), (9, [b"abc", b"defg"])],
)
def test_the_first_bytes_of_a_piece(limit: int, kept: list[bytes]) -> None:
    assert list(Piece((b"abc", b"defg")).first(limit).buffers) == kept


@pytest.mark.parametrize(
    ("count", "left"),
    [(0, [b"abc", b"defg"]), (1, [b"bc", b"defg"]), (3, [b"defg"]), (5, [b"fg"])],
)
def test_what_follows_the_first_bytes(count: int, left: list[bytes]) -> None:
    done = Count()
    assert list(Piece((b"abc", b"defg"), done).after(count).buffers) == left
    assert done.calls == 0


def test_memory_of_which_nothing_is_left_is_given_back() -> None:
    done = Count()
    assert not Piece((b"abc", b"defg"), done).after(7)
    assert done.calls == 1


def test_parts_give_the_same_memory_back() -> None:
    done = Count()
    Piece((memoryview(b"abcdefg"),), done).after(2).first(2).done()
    assert done.calls == 1


def test_nothing_has_no_bytes_and_may_be_given_back() -> None:
    piece = Piece()
    assert not piece
    piece.done()
