"""Which proxy a request goes through."""

from __future__ import annotations

import pytest
from yarl import URL

from entrepot.upstream.proxy import choose_proxy, environment_proxies

pytestmark = pytest.mark.rule("X-7")

REGISTRY = URL("https://registry.example:8443/v2/")


def test_the_mirrors_own_proxy_wins() -> None:
    environment = {"https": "http://other:1", "no": "registry.example"}
    assert choose_proxy(REGISTRY, "http://mine:1", environment) == "http://mine:1"


def test_the_environments_proxy_goes_by_scheme() -> None:
    environment = {"https": "http://secure:1", "http": "http://plain:1"}
    assert choose_proxy(REGISTRY, None, environment) == "http://secure:1"
    assert choose_proxy(URL("http://a.example"), None, environment) == "http://plain:1"
    assert choose_proxy(REGISTRY, None, {"all": "http://any:1"}) == "http://any:1"


def test_no_proxy_exempts_hosts() -> None:
    environment = {"https": "http://proxy:1", "no": "localhost,.example"}
    assert choose_proxy(REGISTRY, None, environment) is None
    assert choose_proxy(URL("https://a.test"), None, environment) == "http://proxy:1"


def test_without_any_or_with_an_unknown_kind_it_is_direct() -> None:
    assert choose_proxy(REGISTRY, None, {}) is None
    assert choose_proxy(REGISTRY, None, {"https": "socks5://proxy:1"}) is None


def test_the_environment_is_read_in_either_case(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://upper:1")
    monkeypatch.setenv("no_proxy", "a.example")
    found = environment_proxies()
    assert (found["https"], found["no"]) == ("http://upper:1", "a.example")
