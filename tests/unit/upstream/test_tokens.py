"""Reading tokens, keeping them, and asking for each of them once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.errors import MirrorDenied, MirrorThrottled, MirrorUnreachable
from entrepot.tasks import TaskOwner
from entrepot.upstream.tokens import Token, TokenCache, TokenKey, read_token

KEY = TokenKey("https://auth.example/token", "registry.example", "repository:pause:pull")


def answer(**fields: object) -> bytes:
    return json.dumps(fields).encode()


@pytest.fixture
async def owner() -> AsyncIterator[TaskOwner]:
    owner = TaskOwner("tokens")
    yield owner
    await owner.aclose()


class Counted:
    """Asks for tokens, one for each call, when it is let."""

    def __init__(self) -> None:
        self.calls = 0
        self.gate = asyncio.Event()

    async def ask(self) -> Token:
        self.calls += 1
        await self.gate.wait()
        return Token(f"token {self.calls}", 100.0)


@pytest.mark.rule("U-5")
@pytest.mark.parametrize(
    ("body", "value", "refresh_at"),
    [
        (answer(token="a", expires_in=300), "a", 1270.0),
        (answer(access_token="b", expires_in=3600), "b", 4570.0),
        (answer(token="a", access_token="b", expires_in=10), "a", 1009.0),
        (answer(token="a"), "a", 1054.0),
        (answer(token="a", expires_in="300"), "a", 1054.0),
        (answer(token="a", expires_in=-1), "a", 1054.0),
        (answer(token="a", expires_in=True), "a", 1054.0),
        (answer(token="a", expires_in=300, issued_at="1999-01-01T00:00:00Z"), "a", 1270.0),
    ],
)
def test_a_token_is_refreshed_shortly_before_it_expires(
    body: bytes, value: str, refresh_at: float
) -> None:
    assert read_token(body, 1000.0) == Token(value, refresh_at)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
        answer(token=""),
        answer(token=5),
        answer(token="s3cret\r\nX: y"),
    ],
)
def test_an_answer_without_a_usable_token_is_refused_and_not_repeated(body: bytes) -> None:
    with pytest.raises(ValueError, match="token") as caught:
        read_token(body, 0.0)
    assert "s3cret" not in str(caught.value)


@given(st.binary(max_size=100))
def test_only_value_errors_come_out(body: bytes) -> None:
    with pytest.raises(ValueError, match="token server"):
        read_token(body, 0.0)


def test_no_token_shows_in_its_repr() -> None:
    assert "s3cret" not in repr(Token("s3cret", 1.0))


async def test_a_kept_token_is_usable_until_its_time(owner: TaskOwner) -> None:
    cache, source = TokenCache(owner), Counted()
    source.gate.set()
    token = await cache.fetch(KEY, source.ask)
    assert cache.usable(KEY, 99.9) is token
    assert cache.usable(KEY, 100.0) is None


@pytest.mark.rule("P24")
async def test_tokens_of_other_users_scopes_services_and_realms_are_others(
    owner: TaskOwner,
) -> None:
    cache, source = TokenCache(owner), Counted()
    source.gate.set()
    await cache.fetch(KEY, source.ask)
    for other in (
        TokenKey(KEY.realm, KEY.service, KEY.scope, "somebody"),
        TokenKey(KEY.realm, KEY.service, "repository:other:pull"),
        TokenKey(KEY.realm, "other", KEY.scope),
        TokenKey("https://other.example", KEY.service, KEY.scope),
    ):
        assert cache.usable(other, 0) is None


async def test_waiters_share_one_request_and_the_cancelled_take_nothing_along(
    owner: TaskOwner,
) -> None:
    cache, source = TokenCache(owner), Counted()
    async with asyncio.TaskGroup() as group:
        waiters = [group.create_task(cache.fetch(KEY, source.ask)) for _ in range(5)]
        while source.calls == 0:
            await asyncio.sleep(0)
        waiters[0].cancel()
        await asyncio.sleep(0)
        assert "1 being fetched" in repr(cache)
        source.gate.set()
    assert [one.result().value for one in waiters[1:]] == ["token 1"] * 4
    assert source.calls == 1
    assert (len(cache), len(owner)) == (1, 0)


async def test_waiters_share_the_error_with_all_it_says(owner: TaskOwner) -> None:
    cache = TokenCache(owner)

    async def fail() -> Token:
        raise MirrorThrottled("slow down", status=429, retry_after_s=5)

    results = await asyncio.gather(
        *(cache.fetch(KEY, fail) for _ in range(3)), return_exceptions=True
    )
    assert len({id(result) for result in results}) == 3
    for result in results:
        assert isinstance(result, MirrorThrottled)
        assert (str(result), result.status, result.retry_after_s) == ("slow down", 429, 5)
    assert len(cache) == 0


async def test_a_failure_is_not_kept(owner: TaskOwner) -> None:
    cache, source = TokenCache(owner), Counted()

    async def fail() -> Token:
        raise MirrorDenied("no")

    with pytest.raises(MirrorDenied):
        await cache.fetch(KEY, fail)
    source.gate.set()
    assert (await cache.fetch(KEY, source.ask)).value == "token 1"


async def test_only_the_refused_token_is_dropped(owner: TaskOwner) -> None:
    cache, source = TokenCache(owner), Counted()
    source.gate.set()
    old = await cache.fetch(KEY, source.ask)
    new = await cache.fetch(KEY, source.ask)
    cache.drop(KEY, old)
    assert cache.usable(KEY, 0) is new
    cache.drop(KEY, new)
    cache.drop(KEY, new)
    assert cache.usable(KEY, 0) is None


async def test_the_cache_does_not_grow_without_end(owner: TaskOwner) -> None:
    cache, source = TokenCache(owner), Counted()
    source.gate.set()
    for number in range(2100):
        await cache.fetch(TokenKey("r", "s", str(number)), source.ask)
    assert len(cache) == 2048
    assert cache.usable(TokenKey("r", "s", "2099"), 0) is not None


async def test_closing_the_owner_frees_the_waiters() -> None:
    owner = TaskOwner("tokens")
    cache, source = TokenCache(owner), Counted()
    async with asyncio.TaskGroup() as group:
        waiter = group.create_task(expect_unreachable(cache, source))
        while source.calls == 0:
            await asyncio.sleep(0)
        await owner.aclose()
    assert waiter.result()
    assert await expect_unreachable(cache, source)


async def test_closing_the_owner_before_the_request_began_frees_the_waiters() -> None:
    owner = TaskOwner("tokens")
    cache, source = TokenCache(owner), Counted()
    async with asyncio.TaskGroup() as group:
        waiter = group.create_task(expect_unreachable(cache, source))
        while len(owner) == 0:
            await asyncio.sleep(0)
        await owner.aclose()
    assert waiter.result()
    assert source.calls == 0
    assert repr(cache) == "<TokenCache 0 tokens, 0 being fetched>"


async def expect_unreachable(cache: TokenCache, source: Counted) -> bool:
    try:
        await cache.fetch(KEY, source.ask)
    except MirrorUnreachable:
        return True
    return False
