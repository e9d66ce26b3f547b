"""How hosts are reached, as the file writes it."""

import pytest
from pydantic import ValidationError

from entrepot.config.mirrors import MirrorSettings
from entrepot.config.routes import RedirectRule


def mirror(**written: object) -> MirrorSettings:
    return MirrorSettings.model_validate({"url": "https://registry.example", **written})


def test_a_rule_says_only_what_differs_from_the_mirror() -> None:
    rule = RedirectRule(host="*.pkg.dev")
    assert (rule.proxy, rule.family, rule.addresses, rule.ca) == (None, None, (), None)


def test_everything_at_once() -> None:
    written = mirror(
        proxy="socks5h://proxy.lan:1080",
        proxy_credentials={"username": "me", "password": "hunter2"},
        redirects=[
            {"host": "*.pkg.dev", "proxy": "direct", "addresses": ["192.0.2.1"], "family": "ipv4"},
            {"host": "cdn.example", "proxy": "http://u:hunter3@other:3128"},
        ],
    )
    assert [rule.proxy for rule in written.redirects] == ["direct", "http://u:hunter3@other:3128"]
    assert "hunter" not in repr(written)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({"proxy_credentials": {"username": "u", "password": "p"}}, "without a proxy"),
        (
            {"proxy": "direct", "proxy_credentials": {"username": "u", "password": "p"}},
            "without a proxy",
        ),
        (
            {"proxy": "http://u@p:1", "proxy_credentials": {"username": "u", "password": "p"}},
            "keep one",
        ),
        ({"proxy": "http://p:1", "addresses": ["192.0.2.1"]}, "behind a proxy"),
        ({"family": "ipv5"}, "'any', 'ipv4', 'ipv6', 'prefer-ipv4' or 'prefer-ipv6'"),
        ({"family": "ipv6", "addresses": ["2001:db8::1", "192.0.2.1"]}, "leaves some"),
        ({"url": "https://192.0.2.1", "addresses": ["192.0.2.2"]}, "holds one already"),
        ({"url": "https://[2001:db8::1]", "addresses": ["192.0.2.2"]}, "holds one already"),
        ({"addresses": ["registry.example"]}, "not an IP address"),
        ({"redirects": [{"proxy": "direct"}]}, "Field required"),
        ({"redirects": [{"host": "*.pkg.dev", "port": 1}]}, "Extra inputs"),
        (
            {"redirects": [{"host": "*", "proxy": "http://p:1", "addresses": ["192.0.2.1"]}]},
            "behind a proxy",
        ),
        (
            {"proxy": "http://p:1", "redirects": [{"host": "*", "addresses": ["192.0.2.1"]}]},
            "behind a proxy",
        ),
        (
            {"family": "ipv6", "redirects": [{"host": "*", "addresses": ["192.0.2.1"]}]},
            "leaves some",
        ),
        ({"redirects": [{"host": "*", "ca": "no-such.pem", "insecure": True}]}, "Extra inputs"),
    ],
)
def test_mistakes_are_refused(written: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        mirror(**written)


def test_what_is_direct_may_have_addresses_whatever_the_mirror_has() -> None:
    rules = [{"host": "*", "proxy": "direct", "addresses": ["192.0.2.1"]}]
    assert mirror(proxy="http://p:1", redirects=rules).redirects[0].addresses == ("192.0.2.1",)
    assert mirror(proxy="direct", addresses=["192.0.2.1"]).addresses == ("192.0.2.1",)
