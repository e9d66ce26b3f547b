"""Names and passwords: right, wrong, guessed at, and never bcrypt twice for the same."""

from __future__ import annotations

import asyncio
import base64

import bcrypt
import pytest

from entrepot.errors import TooManyFailures
from entrepot.web import passwords
from entrepot.web.passwords import FAILURES, Claim, Passwords, read_basic

USERS = {
    "alice": bcrypt.hashpw(b"wonder", bcrypt.gensalt(4)),
    "bob": bcrypt.hashpw(b"builder", bcrypt.gensalt(4)),
}
HERE, THERE = "10.0.0.1", "10.0.0.2"


def header(text: bytes) -> str:
    return "Basic " + base64.b64encode(text).decode()


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What bcrypt was asked about."""
    asked: list[bytes] = []
    check = bcrypt.checkpw

    def counted(password: bytes, against: bytes) -> bool:
        asked.append(password)
        return check(password, against)

    monkeypatch.setattr(bcrypt, "checkpw", counted)
    return asked


@pytest.mark.parametrize(
    ("value", "claim"),
    [
        (header(b"alice:wonder"), Claim("alice", "wonder")),
        (header(b"alice:a:b"), Claim("alice", "a:b")),
        (header("alice:größe".encode()), Claim("alice", "größe")),
        (header("alice:größe".encode("latin-1")), Claim("alice", "größe")),
        (header(b"alice").replace("Basic", "bAsIc"), None),
        ("Basic !!!", None),
        ("Basic", None),
        ("Bearer abc", None),
        ("", None),
    ],
)
def test_a_login_is_read(value: str, claim: Claim | None) -> None:
    assert read_basic(value) == claim


def test_a_password_is_not_shown() -> None:
    assert "wonder" not in repr(Claim("alice", "wonder"))


async def test_right_and_wrong() -> None:
    checked = Passwords(lambda: USERS)
    assert await checked.are_right(Claim("alice", "wonder"), HERE)
    for wrong in (
        Claim("alice", "builder"),
        Claim("carol", "wonder"),
        Claim("", ""),
        Claim("alice", "\0"),
    ):
        assert not await checked.are_right(wrong, HERE)


async def test_an_unknown_user_costs_as_much_as_a_known_one(hashed: list[bytes]) -> None:
    checked = Passwords(lambda: USERS)
    assert not await checked.are_right(Claim("nobody", "x"), HERE)
    assert not await checked.are_right(Claim("alice", "x"), HERE)
    assert hashed == [b"x", b"x"]


async def test_a_long_password_is_cut_where_htpasswd_cuts_it() -> None:
    long = "x" * 100
    users = {"alice": bcrypt.hashpw(long.encode()[:72], bcrypt.gensalt(4))}
    assert await Passwords(lambda: users).are_right(Claim("alice", long), HERE)


async def test_a_hundred_nodes_with_one_password_cost_one_bcrypt(hashed: list[bytes]) -> None:
    checked = Passwords(lambda: USERS)
    claim = Claim("alice", "wonder")
    outcomes = await asyncio.gather(*(checked.are_right(claim, HERE) for _ in range(100)))
    assert all(outcomes)
    assert len(hashed) <= 2
    assert await checked.are_right(claim, THERE)
    assert len(hashed) <= 2


async def test_a_changed_hash_counts_at_once() -> None:
    users = dict(USERS)
    checked = Passwords(lambda: users)
    assert await checked.are_right(Claim("alice", "wonder"), HERE)
    users["alice"] = bcrypt.hashpw(b"other", bcrypt.gensalt(4))
    assert not await checked.are_right(Claim("alice", "wonder"), HERE)
    assert await checked.are_right(Claim("alice", "other"), HERE)
    del users["alice"]
    assert not await checked.are_right(Claim("alice", "other"), HERE)


async def test_guessing_ends_and_costs_nothing_more(hashed: list[bytes]) -> None:
    checked = Passwords(lambda: USERS)
    assert await checked.are_right(Claim("bob", "builder"), HERE)
    for number in range(FAILURES):
        assert not await checked.are_right(Claim("alice", str(number)), HERE)
    asked = len(hashed)
    with pytest.raises(TooManyFailures) as caught:
        await checked.are_right(Claim("alice", "wonder"), HERE)
    assert 0 < caught.value.retry_after_s <= passwords.WINDOW_S
    assert len(hashed) == asked
    # Who was known already, or is elsewhere, does not suffer for it.
    assert await checked.are_right(Claim("bob", "builder"), HERE)
    assert await checked.are_right(Claim("alice", "wonder"), THERE)


async def test_the_same_wrong_password_is_looked_at_once(hashed: list[bytes]) -> None:
    checked = Passwords(lambda: USERS)
    for _ in range(3 * FAILURES):
        assert not await checked.are_right(Claim("alice", "old"), HERE)
    assert hashed == [b"old"]
    assert await checked.are_right(Claim("alice", "wonder"), HERE)


async def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "_MOST_KNOWN", 5)
    checked = Passwords(lambda: USERS)
    for number in range(20):
        assert not await checked.are_right(Claim("alice", str(number)), f"10.0.0.{number}")
    assert (len(checked._known), len(checked._failures)) == (5, 5)
