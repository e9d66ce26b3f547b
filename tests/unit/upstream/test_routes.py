"""Which way leads to a url."""

from __future__ import annotations

import pytest
from yarl import URL

from entrepot.config import MirrorSettings
from entrepot.upstream.routes import Route, Routes, read_routes


def routes(**written: object) -> Routes:
    return read_routes(
        MirrorSettings.model_validate({"url": "https://registry.example", **written})
    )


OWN = URL("https://registry.example/v2/")


def test_without_settings_there_is_one_way() -> None:
    found = routes()
    assert found.all() == {Route()}
    assert found.choose(OWN) == found.choose(URL("https://elsewhere.example")) == Route()


def test_redirect_targets_go_the_mirrors_way_but_not_to_its_addresses() -> None:
    found = routes(family="ipv4", addresses=["192.0.2.1"])
    assert found.choose(OWN) == Route(family="ipv4", addresses=("192.0.2.1",))
    assert found.choose(URL("https://cdn.example")) == Route(family="ipv4")
    proxied = routes(proxy="http://proxy:1")
    assert proxied.choose(URL("https://cdn.example")) == Route("http://proxy:1")


def test_the_first_rule_that_matches_counts() -> None:
    found = routes(
        proxy="http://proxy:1",
        redirects=[
            {"host": "eu.*.pkg.dev", "proxy": "direct"},
            {"host": "*.pkg.dev", "proxy": "socks5://proxy:2"},
        ],
    )
    for host, proxy in (
        ("eu.docker.pkg.dev", "direct"),
        ("us.docker.PKG.dev.", "socks5://proxy:2"),
        ("pkg.dev", "http://proxy:1"),
        ("a.pkg.dev.evil.example", "http://proxy:1"),
    ):
        assert found.choose(URL(f"https://{host}/x")).proxy == proxy
    assert len(found.all()) == 3


def test_rules_are_not_for_the_mirror_itself() -> None:
    found = routes(redirects=[{"host": "*", "proxy": "http://proxy:1"}])
    assert found.choose(OWN).proxy is None
    assert found.choose(URL("https://registry.example:8443/")).proxy == "http://proxy:1"


def test_what_a_rule_leaves_out_is_as_for_the_mirror() -> None:
    found = routes(family="ipv4", addresses=["192.0.2.1"], redirects=[{"host": "cdn.example"}])
    assert found.choose(URL("https://cdn.example")) == Route(family="ipv4")
    own = routes(redirects=[{"host": "cdn.example", "family": "ipv6", "addresses": ["::1"]}])
    assert own.choose(URL("https://cdn.example")) == Route(family="ipv6", addresses=("::1",))


def test_a_proxys_login_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROXY_USER", "me")
    monkeypatch.setenv("PROXY_PASSWORD", "p@ss/w:rd")
    login = {"username_env": "PROXY_USER", "password_env": "PROXY_PASSWORD"}
    rules = [{"host": "*", "proxy": "http://other:1", "proxy_credentials": login}]
    found = routes(proxy="socks5://proxy:1", proxy_credentials=login, redirects=rules)
    for route, host in ((found.own, "proxy"), (found.rules[0][1], "other")):
        proxy = URL(route.proxy or "")
        assert (proxy.user, proxy.password, proxy.host) == ("me", "p@ss/w:rd", host)
        assert "w:rd" not in repr(found)
    monkeypatch.delenv("PROXY_USER")
    with pytest.raises(OSError, match="cannot be read any more"):
        routes(proxy="socks5://proxy:1", proxy_credentials=login)
