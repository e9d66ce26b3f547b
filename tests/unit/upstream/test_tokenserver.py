"""One question to a token server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from yarl import URL

from connecting import replying
from entrepot.config import MirrorSettings, TimeoutSettings
from entrepot.errors import (
    MirrorDenied,
    MirrorFailed,
    MirrorLied,
    MirrorSilent,
    MirrorThrottled,
    MirrorUnreachable,
)
from entrepot.upstream.tokens import TokenKey
from entrepot.upstream.tokenserver import Login, TokenServer, token_url
from entrepot.upstream.transport import Transport
from fakes.registry import FakeRegistry, Fault

SCOPE = "repository:pause:pull"
ALIYUN_URL = (
    "https://dockerauth.cn-hangzhou.aliyuncs.com/auth?service=registry.aliyuncs.com"
    ":cn-hangzhou:26842&scope=repository:a:pull,push&scope=repository:b:pull"
)
LOGIN = Login("me", "s3cret")


@asynccontextmanager
async def token_server(wait_s: float = 5.0) -> AsyncIterator[TokenServer]:
    transport = Transport(MirrorSettings(url="http://127.0.0.1:9"), TimeoutSettings())
    await transport.start()
    try:
        yield TokenServer(transport, wait_s)
    finally:
        await transport.aclose()


@pytest.mark.rule("U-5", "U-10")
@pytest.mark.parametrize(
    ("key", "url"),
    [
        (
            TokenKey("https://a.example/t", "registry.example", SCOPE),
            "https://a.example/t?service=registry.example&scope=repository:pause:pull",
        ),
        (
            TokenKey("https://a.example/t?account=x#y", "", SCOPE),
            "https://a.example/t?account=x&scope=repository:pause:pull",
        ),
        (
            TokenKey(
                "https://dockerauth.cn-hangzhou.aliyuncs.com/auth",
                "registry.aliyuncs.com:cn-hangzhou:26842",
                "repository:a:pull,push repository:b:pull",
            ),
            ALIYUN_URL,
        ),
    ],
)
def test_service_and_scopes_are_added_to_the_realm(key: TokenKey, url: str) -> None:
    assert token_url(key).query == URL(url).query
    assert token_url(key).with_query(None) == URL(url).with_query(None)


@pytest.mark.parametrize("login", [None, LOGIN])
async def test_a_token_is_got_with_and_without_a_login(login: Login | None) -> None:
    credentials = None if login is None else (login.username, login.password)
    async with FakeRegistry(credentials=credentials) as registry, token_server() as server:
        key = TokenKey(f"{registry.url}/token", registry.host, SCOPE)
        token = await server.ask(key, login)
        assert token.value == f"fake-token-{registry.host}-1"
        assert ("Authorization" in registry.requests[0].headers) == (login is not None)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault("status", status=401), MirrorDenied),
        (Fault("status", status=404), MirrorFailed),
        (Fault("status", status=400), MirrorFailed),
        (Fault("status", status=302, headers={"Location": "/token"}), MirrorFailed),
        (Fault("status", status=429), MirrorThrottled),
        (Fault("html"), MirrorLied),
        (Fault("refuse", times=None), MirrorUnreachable),
    ],
    ids=lambda value: getattr(value, "kind", None),
)
async def test_what_is_no_token_names_the_token_server(
    fault: Fault, error: type[Exception]
) -> None:
    async with FakeRegistry() as registry, token_server() as server:
        registry.fault(fault)
        with pytest.raises(error) as caught:
            await server.ask(TokenKey(f"{registry.url}/token", registry.host, SCOPE), LOGIN)
        assert "token server" in str(caught.value) or "127.0.0.1" in str(caught.value)
        assert {one.path for one in registry.requests} == {"/token"}


async def test_a_silent_token_server_is_given_up() -> None:
    async with FakeRegistry(accept_silently=True) as registry, token_server(0.05) as server:
        with pytest.raises(MirrorSilent, match=r"token server 127\.0\.0\.1 .* 0\.05 s"):
            await server.ask(TokenKey(f"{registry.url}/token", "", SCOPE), None)


@pytest.mark.rule("A-3")
async def test_an_answer_that_repeats_the_password_is_not_repeated() -> None:
    body = b'{"errors":[{"code":"DENIED","message":"me:s3cret is wrong"}]}'
    head = f"HTTP/1.1 401 No\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    async with replying(head + body) as url, token_server() as server:
        with pytest.raises(MirrorDenied) as caught:
            await server.ask(TokenKey(f"{url}/token", "", SCOPE), LOGIN)
        assert str(caught.value) == "token server 127.0.0.1 answered 401"


def test_a_login_shows_no_password_and_is_written_in_utf8() -> None:
    assert "s3cret" not in repr(LOGIN)
    assert LOGIN.basic() == "Basic bWU6czNjcmV0"
    assert Login("j\u00fcrgen", "x").basic() == "Basic asO8cmdlbjp4"
