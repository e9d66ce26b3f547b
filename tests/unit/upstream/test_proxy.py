"""Which proxy a request goes through."""

from __future__ import annotations

import pytest
from yarl import URL

from entrepot.upstream.proxy import choose_proxy, environment_proxies, is_socks
from entrepot.upstream.routes import Route

pytestmark = pytest.mark.rule("X-7")

REGISTRY = URL("https://registry.example:8443/v2/")


def test_the_mirrors_own_proxy_wins() -> None:
    environment = {"https": "http://other:1", "no": "registry.example"}
    assert choose_proxy(REGISTRY, Route("http://mine:1"), environment) == "http://mine:1"


def test_the_environments_proxy_goes_by_scheme() -> None:
    environment = {"https": "http://secure:1", "http": "http://plain:1"}
    assert choose_proxy(REGISTRY, Route(), environment) == "http://secure:1"
    assert choose_proxy(URL("http://a.example"), Route(), environment) == "http://plain:1"
    assert choose_proxy(REGISTRY, Route(), {"all": "http://any:1"}) == "http://any:1"


def test_no_proxy_exempts_hosts() -> None:
    environment = {"https": "http://proxy:1", "no": "localhost,.example"}
    assert choose_proxy(REGISTRY, Route(), environment) is None
    assert choose_proxy(URL("https://a.test"), Route(), environment) == "http://proxy:1"


def test_without_any_or_with_an_unknown_kind_it_is_direct() -> None:
    assert choose_proxy(REGISTRY, Route(), {}) is None
    assert choose_proxy(REGISTRY, Route(), {"https": "socks4://proxy:1"}) is None


@pytest.mark.parametrize("proxy", ["socks5://proxy:1", "socks5h://proxy:1", "SOCKS5://proxy:1"])
def test_the_environments_socks_proxy_counts_too(proxy: str) -> None:
    assert choose_proxy(REGISTRY, Route(), {"all": proxy}) == proxy
    assert is_socks(proxy)
    assert not is_socks("http://proxy:1")
    assert not is_socks(None)


def test_direct_and_pinned_addresses_go_past_the_environments_proxy() -> None:
    environment = {"https": "http://other:1"}
    assert choose_proxy(REGISTRY, Route("direct"), environment) is None
    assert choose_proxy(REGISTRY, Route(addresses=("192.0.2.1",)), environment) is None


def test_the_environment_is_read_in_either_case(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://upper:1")
    monkeypatch.setenv("no_proxy", "a.example")
    found = environment_proxies()
    assert (found["https"], found["no"]) == ("http://upper:1", "a.example")
