"""Who may act from the page, and what is done."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fakes.images import image
from fakes.registry import FakeRegistry
from unit.web.serving import NS, Serving, serving, until
from unit.web.status.test_pages import get, pulled, send
from wire.client import Answer, client

NAME = "registry.k8s.io/pause:1"


class Admin:
    """A browser that has logged in."""

    def __init__(self, served: Serving, cookie: str) -> None:
        self.served = served
        self.cookie = ("Cookie", cookie)

    async def form(self) -> str:
        page = (await get(self.served, "/status", self.cookie)).body.decode()
        found = re.search('name="form" value="([^"]+)"', page)
        assert found is not None
        return found[1]

    async def act(self, action: str, **fields: str) -> Answer:
        body = "&".join(f"{key}={value}" for key, value in fields.items())
        return await send(self.served, action, body, self.cookie)


async def logged_in(served: Serving, path: Path) -> Admin:
    token = (path / "cache" / "admin-token").read_text().strip()
    answer = await send(served, "login", f"token={token}")
    assert answer.status == 303
    return Admin(served, (answer.header("Set-Cookie") or "").partition(";")[0])


@pytest.mark.parametrize("action", ["offline", "keep", "unkeep", "remove", "prefetch"])
async def test_without_the_token_nothing_is_done(tmp_path: Path, action: str) -> None:
    async with serving(tmp_path, "http://127.0.0.1:9") as served:
        assert (await send(served, action, f"name={NAME}&images={NAME}&offline=on")).status == 401
        admin = await logged_in(served, tmp_path)
        assert (await admin.act(action, images=NAME, offline="on")).status == 403
        assert (await admin.act(action, images=NAME, form="made-up")).status == 403
        form = await admin.form()
        elsewhere = ("Origin", "http://evil.test")
        body = f"name={NAME}&images={NAME}&offline=on&form={form}"
        assert (await send(served, action, body, admin.cookie, elsewhere)).status == 403
        assert not served.server.services.offline.shut
        assert served.server.prefetch.jobs() == []


async def test_a_wrong_token_opens_nothing(tmp_path: Path) -> None:
    async with serving(tmp_path, "http://127.0.0.1:9") as served:
        for body in ("token=wrong", "", "token="):
            answer = await send(served, "login", body)
            assert (answer.status, answer.header("Set-Cookie")) == (401, None)
        elsewhere = ("Sec-Fetch-Site", "cross-site")
        assert (await send(served, "login", "token=x", elsewhere)).status == 403


async def test_an_admin_acts(tmp_path: Path) -> None:
    async with FakeRegistry() as mirror, serving(tmp_path, mirror) as served:
        mirror.put_image("pause", "1", image("pause"))
        await pulled(served, "pause", NS)
        admin = await logged_in(served, tmp_path)
        form, library = await admin.form(), served.server.library
        assert (await admin.act("offline", form=form, offline="on")).status == 303
        assert served.server.services.offline.shut
        assert (await admin.act("offline", form=form, offline="off")).status == 303
        assert (await admin.act("keep", form=form, name=NAME)).status == 303
        assert (await library.keeps()).told == (NAME,)
        assert (await admin.act("unkeep", form=form, name=NAME)).status == 303
        assert (await library.keeps()).told == ()
        assert (await admin.act("remove", form=form)).status == 400
        assert (await admin.act("remove", form=form, name=NAME)).status == 303
        assert (await admin.act("remove", form=form, name=NAME)).status == 404
        assert await library.images() == ()
        assert (await admin.act("logout", form="made-up")).status == 403
        assert (await admin.act("logout", form=form)).status == 303
        assert (await admin.act("offline", form=form, offline="on")).status == 401


async def test_an_admin_fetches_ahead_and_only_admins_see_what(tmp_path: Path) -> None:
    async with FakeRegistry() as mirror, serving(tmp_path, mirror) as served:
        mirror.put_image("pause", "1", image("pause"))
        admin = await logged_in(served, tmp_path)
        form = await admin.form()
        for images in ("", "pause", "%3Cb%3E:1"):
            answer = await admin.act("prefetch", form=form, images=images)
            assert answer.status == 400
            assert b"<b>" not in answer.body
        told = "k8s.gcr.io/pause:1+other.test/x:2%0A"
        answer = await admin.act("prefetch", form=form, images=told, platforms="linux/amd64")
        assert (answer.status, answer.header("Location")) == (303, "/status#fetching-ahead")
        [job] = served.server.prefetch.jobs()
        assert job.order.platforms == ("linux/amd64",)
        await until(lambda: job.ended)
        assert (await served.server.library.image(NAME)).completeness.complete
        page = (await get(served, "/status", admin.cookie)).body.decode()
        assert "other.test is not served here" in page
        assert b"other.test" not in (await get(served, "/status")).body
        async with client(served.admin) as watcher:
            await watcher.send("GET", "/status/events", admin.cookie)
            await watcher.reader.readuntil(b"event: ahead\n")
            assert b"other.test" in await watcher.reader.readuntil(b"\n\n")
