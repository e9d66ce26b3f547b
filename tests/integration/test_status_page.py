"""The status page in a real browser, while something is going on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from fakes.images import blob, image, index, sha256
from fakes.registry import FakeRegistry
from programs.chromium import Chromium
from unit.web.serving import NS, Serving, registry_settings, serving
from wire.client import client

pytestmark = pytest.mark.integration

BIG = blob(48 << 20, "status page")
SCREENS = {
    "light": (1280, 900, False),
    "dark": (1280, 900, True),
    "phone": (390, 844, False),
    "phone-dark": (390, 844, True),
}


@asynccontextmanager
async def lively(path: Path) -> AsyncIterator[Serving]:
    """A server with images, a download from two mirrors that goes on, and a mirror that is gone."""
    two = index([image("a", platform="linux/amd64"), image("b", platform="linux/arm64")])
    async with (
        FakeRegistry(bytes_per_second=1_500_000) as one,
        FakeRegistry(bytes_per_second=900_000) as other,
    ):
        for mirror in (one, other):
            mirror.put_image("pause", "3.1", two)
            mirror.put_image("coredns/coredns", "v1.11.3", image("coredns"))
            mirror.put_blob("etcd", BIG)
        mirrors = ("http://127.0.0.1:9", one, other)
        registries = {
            "registry.k8s.io": registry_settings(*mirrors, aliases=("k8s.gcr.io",)),
            "docker.io": registry_settings("http://127.0.0.1:9"),
        }
        async with serving(path, registries=registries) as served:
            pulls = (
                ("pause", "3.1", two.images[0]),
                ("coredns/coredns", "v1.11.3", image("coredns")),
            )
            for name, tag, held in pulls:
                assert (await served.get(f"/v2/{name}/manifests/{tag}{NS}")).status == 200
                assert (await served.get(f"/v2/{name}/manifests/{held.digest}{NS}")).status == 200
                for data in held.blobs:
                    for _ in range(3):
                        got = await served.get(f"/v2/{name}/blobs/{sha256(data)}{NS}")
                        assert got.status == 200
            async with client(served.address) as reader:
                await reader.send("GET", f"/v2/etcd/blobs/{sha256(BIG)}{NS}")
                yield served


NAMES = "[...document.querySelectorAll('.images td a')].map((one) => one.textContent)"


def assert_of_its_own(page: Chromium, served: Serving) -> None:
    """Nothing was asked of another host, and the console has nothing to complain of."""
    hosts = {urlsplit(url).netloc for url in page.requests if not url.startswith("data:")}
    assert hosts == {served.admin}
    assert page.errors == []


def is_offline(served: Serving) -> bool:
    return served.server.services.offline.shut


async def test_the_page_in_a_browser(tmp_path: Path) -> None:
    """The screenshots lie in the test's directory: `pytest --basetemp DIRECTORY` keeps them."""
    screens = tmp_path
    async with lively(tmp_path) as served, Chromium(tmp_path) as page:
        base = f"http://{served.admin}"
        await page.open(f"{base}/")
        assert await page.evaluate("location.pathname") == "/status"

        # Numbers move, without the page being loaded again.
        await page.evaluate("window.stayed = true")
        shown = "document.querySelector('.fill .what .num').textContent"
        first = await page.evaluate(shown)
        await page.until(f"{shown} !== {first!r}")
        await page.until("document.querySelectorAll('.fill .who .dot').length >= 2")
        await page.until("document.querySelector('.pill.open') !== null")
        assert await page.evaluate("window.stayed")
        assert await page.evaluate("document.querySelector('#connection').offsetParent") is None

        for name, (width, height, dark) in SCREENS.items():
            await page.look_like(width, height, dark=dark)
            wide = await page.evaluate("document.documentElement.scrollWidth")
            assert wide <= width, f"{name}: it is {wide} wide"
            await page.screenshot(screens / f"status-{name}.png")
        await page.look_like(1280, 900)
        assert_of_its_own(page, served)


async def test_search_and_what_is_refused_without_the_token(tmp_path: Path) -> None:
    async with lively(tmp_path) as served, Chromium(tmp_path) as page:
        base = f"http://{served.admin}"
        await page.open(f"{base}/status")
        # Search, in the names that people use.
        await page.evaluate("document.querySelector('[name=q]').value = 'k8s.gcr.io/pau'")
        await page.click(".search button")
        assert await page.evaluate(NAMES) == ["registry.k8s.io/pause:3.1"]
        await page.click(".images td a")
        assert "linux/arm64" in await page.evaluate("document.body.textContent")
        assert "the first answer" in await page.evaluate("document.body.textContent")
        await page.screenshot(tmp_path / "image.png")

        # Nobody acts who has not logged in: there is no form for it, and one made up is refused.
        assert await page.evaluate("document.querySelector('form[action$=remove]')") is None
        form = "new URLSearchParams({name: 'registry.k8s.io/pause:3.1'})"
        await page.evaluate(
            f"fetch('/status/remove', {{method: 'POST', body: {form}}})"
            ".then((answer) => { window.refused = answer.status; }); 0"
        )
        await page.until("window.refused === 401")
        assert [one for one in page.errors if "401" not in one] == []
        page.errors.clear()
        assert_of_its_own(page, served)


async def test_an_admin_acts_from_the_page(tmp_path: Path) -> None:
    async with lively(tmp_path) as served, Chromium(tmp_path) as page:
        base = f"http://{served.admin}"
        await page.open(f"{base}/status")
        token = (tmp_path / "cache" / "admin-token").read_text().strip()
        await page.evaluate(f"document.querySelector('[name=token]').value = {token!r}")
        await page.click("form[action$=login] button")
        await page.screenshot(tmp_path / "admin.png")
        await page.click("form[action$=offline] button")
        assert is_offline(served)
        await page.screenshot(tmp_path / "offline.png")
        await page.click("form[action$=offline] button")
        assert not is_offline(served)
        wanted = "k8s.gcr.io/coredns/coredns:v1.11.3 other.test/b:1"
        await page.evaluate(f"document.querySelector('[name=images]').value = {wanted!r}")
        await page.click("form[action$=prefetch] button")
        await page.until("document.querySelector('#ahead').textContent.includes('failed')")
        await page.screenshot(tmp_path / "ahead.png")
        await page.open(f"{base}/status/image?name=k8s.gcr.io/pause:3.1")
        await page.click("form[action$='/keep'] button")
        assert (await served.server.library.keeps()).told == ("registry.k8s.io/pause:3.1",)
        await page.click("form[action$='/unkeep'] button")
        await page.screenshot(tmp_path / "image-admin.png")
        await page.click("form[action$='/remove'] button")
        await page.open(f"{base}/status?q=pause")
        assert await page.evaluate(NAMES) == []
        # A script that came in all the same could not read who is logged in.
        assert await page.evaluate("document.cookie") == ""
        assert_of_its_own(page, served)


async def test_a_watcher_does_not_hold_up_the_end(tmp_path: Path) -> None:
    async with serving(tmp_path, "http://127.0.0.1:9") as served, Chromium(tmp_path) as page:
        await page.open(f"http://{served.admin}/status")
        await page.until("document.querySelector('#connection').offsetParent === null")
        began = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - began < 15
