"""/setup/ on the pull listener: what comes from a request is read as if by an enemy."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from entrepot.errors import SetupInvalid
from entrepot.setup.offer import Offer
from entrepot.web.setup import setup_page
from fakes.images import image
from fakes.registry import FakeRegistry
from unit.web.serving import K8S, registry_settings, serving

NOWHERE = "http://127.0.0.1:9"
OFFER = Offer(("docker.io",))


@pytest.mark.parametrize("path", ["/setup", "/setup/", "/setup/containerd.sh"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_pages_are_plain_text_that_nobody_keeps(
    path: str, method: str, tmp_path: Path
) -> None:
    async with serving(tmp_path, NOWHERE) as served:
        got = await served.ask(method, path, ("Host", "mirror.lan:5000"))
    assert got.status == 200
    assert got.header("Content-Type") == "text/plain; charset=utf-8"
    assert got.header("Cache-Control") == "no-store"
    assert (b"http://mirror.lan:5000" in got.body) is (method == "GET")
    assert int(got.header("Content-Length") or 0) > 1000


@pytest.mark.parametrize(
    "host",
    [
        "a;reboot",
        "$(reboot)",
        "`reboot`",
        "a'b",
        'a"b',
        "a b",
        "a|b",
        "a&b",
        "a>b",
        "a\\b",
        "-a",
        "a:99999",
        "a/b",
        "a@b",
        "a#b",
    ],
)
async def test_a_host_that_is_no_address_gets_nothing(host: str, tmp_path: Path) -> None:
    async with serving(tmp_path, NOWHERE) as served:
        got = await served.get("/setup/containerd.sh", ("Host", host))
    assert got.status == 400
    assert b"mirrors=" not in got.body
    assert b"#!/bin/sh" not in got.body


@pytest.mark.parametrize(
    "query", ["registry=a.b", "mirror=%24(id)", "ca=/a%0ab", "strictt", "mirror=a%22;id"]
)
async def test_a_query_that_asks_what_cannot_be(query: str, tmp_path: Path) -> None:
    async with serving(tmp_path, NOWHERE) as served:
        got = await served.get(f"/setup/containerd.sh?{query}", ("Host", "m:5000"))
    assert got.status == 400
    (error,) = json.loads(got.body)["errors"]
    assert error["code"] == "UNSUPPORTED"


async def test_unknown_pages_are_not_found_and_nothing_is_written(tmp_path: Path) -> None:
    async with serving(tmp_path, NOWHERE) as served:
        assert (await served.get("/setup/nothing.sh", ("Host", "m"))).status == 404
        assert (await served.get("/setup/..%2fcontainerd.sh", ("Host", "m"))).status == 404
        assert (await served.get("/setupcontainerd.sh", ("Host", "m"))).status == 404
        assert (await served.ask("POST", "/setup/containerd.sh", ("Host", "m"))).status == 405


@pytest.mark.rule("S-1")
async def test_a_repository_called_setup_is_still_a_repository(tmp_path: Path) -> None:
    """Shape S6 has no /v2 in front: setup/pause is as good a name as any."""
    async with FakeRegistry() as mirror, serving(tmp_path, mirror) as served:
        mirror.put_image("setup/pause", "3.1", image("setup"))
        mirror.put_image("setup", "3.1", image("setup"))
        for path in ("/setup/pause/manifests/3.1", "/setup/manifests/3.1"):
            assert (await served.get(f"{path}?ns=k8s.gcr.io")).status == 200


async def test_aliases_and_ports_of_the_settings(tmp_path: Path) -> None:
    registries = {K8S: registry_settings(NOWHERE, aliases=("k8s.gcr.io",))}
    listen = ["127.0.0.1:0", {"address": "127.0.0.1:0", "registry": "k8s.gcr.io"}]
    async with serving(tmp_path, NOWHERE, registries=registries, listen=listen) as served:
        got = await served.get("/setup/containerd.sh", ("Host", "m:5000"))
    assert b"/registry.k8s.io/hosts.toml" in got.body
    assert b"/k8s.gcr.io/hosts.toml" in got.body


def test_how_it_was_reached_is_in_the_script() -> None:
    found = setup_page(OFFER, "/setup/podman.sh", "m", "https", {})
    assert found is not None
    assert "mirrors=https://m\n" in found
    assert setup_page(OFFER, "/v2/", "m", "http", {}) is None
    with pytest.raises(SetupInvalid):
        setup_page(OFFER, "/setup/", "m n", "http", {})
