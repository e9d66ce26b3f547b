"""What changes something on the admin listener needs the token and one of our names."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from entrepot.errors import StoreError
from entrepot.web.guard import Guard
from unit.web.serving import serving

TOKEN = "a-token-that-nobody-would-guess"
RIGHT = {"Authorization": f"Bearer {TOKEN}"}

Admin = TestClient[web.Request, web.Application]


@pytest.fixture
async def admin() -> AsyncIterator[Admin]:
    guard = Guard(TOKEN, ["Mirror.lan"])

    async def act(request: web.Request) -> web.Response:
        return web.Response(text=f"done: {guard.authorized(request)}")

    application = web.Application()
    application.router.add_delete("/images", guard.protect(act))
    async with TestClient(TestServer(application)) as client:
        yield client


@pytest.mark.parametrize(
    "host", ["127.0.0.1:5001", "localhost", "[::1]:5001", "10.0.0.5", "MIRROR.LAN:5001"]
)
async def test_the_token_and_a_name_of_ours_let_in(host: str, admin: Admin) -> None:
    got = await admin.delete("/images", headers={**RIGHT, "Host": host})
    assert (got.status, await got.text()) == (200, "done: True")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": f"Bearer {TOKEN}x"},
        {"Authorization": "Bearer "},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": TOKEN},
        {"Cookie": f"token={TOKEN}"},
        {"Authorization": "Bearer \u00fc"},
    ],
)
async def test_without_the_token_nothing_is_done(headers: dict[str, str], admin: Admin) -> None:
    got = await admin.delete("/images", headers={"Host": "localhost", **headers})
    assert got.status == 401
    assert (await got.json())["errors"][0]["code"] == "UNAUTHORIZED"


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:5001", "localhost.evil.example", "127.0.0.1.evil.example", ""],
)
async def test_a_rebound_name_is_refused_even_with_the_token(host: str, admin: Admin) -> None:
    got = await admin.delete("/images", headers={**RIGHT, "Host": host})
    assert got.status == 403
    assert TOKEN not in await got.text()


async def test_a_page_elsewhere_is_not_allowed_to_ask(admin: Admin) -> None:
    got = await admin.options(
        "/images",
        headers={"Origin": "http://evil.example", "Access-Control-Request-Method": "DELETE"},
    )
    assert got.status == 405
    assert not [name for name in got.headers if name.lower().startswith("access-control")]


def test_a_token_to_guess_is_refused_and_none_is_shown() -> None:
    with pytest.raises(ValueError, match="16 characters"):
        Guard("short")
    assert TOKEN not in repr(Guard(TOKEN))


async def test_a_token_is_made_in_the_cache(tmp_path: Path) -> None:
    async with serving(tmp_path, "http://127.0.0.1:9"):
        made = tmp_path / "cache" / "admin-token"
        assert made.stat().st_mode & 0o777 == 0o600
        assert len(made.read_text().strip()) >= 32


async def test_a_token_of_the_operators_own_is_not_written_down(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN)
    admin = {"address": "127.0.0.1:0", "token_file": str(tmp_path / "token")}
    async with serving(tmp_path, "http://127.0.0.1:9", admin=admin):
        assert not (tmp_path / "cache" / "admin-token").exists()


async def test_a_token_that_is_too_short_fails_the_start(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("short")
    admin = {"address": "127.0.0.1:0", "token_file": str(tmp_path / "token")}
    with pytest.raises(StoreError, match="16 characters"):
        async with serving(tmp_path, "http://127.0.0.1:9", admin=admin):
            pytest.fail("it started all the same")
