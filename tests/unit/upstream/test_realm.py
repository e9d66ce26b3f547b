"""Where credentials may go, and whom an anonymous client may be sent to."""

from __future__ import annotations

import pytest
from yarl import URL

from entrepot.upstream.realm import may_be_asked, may_be_told, registrable_domain

pytestmark = pytest.mark.rule("U-6", "P22")


@pytest.mark.parametrize(
    ("realm", "mirror"),
    [
        ("https://auth.docker.io/token", "https://registry-1.docker.io"),
        ("https://quay.io/v2/auth", "https://quay.io"),
        ("https://auth.m.daocloud.io/auth/token", "https://m.daocloud.io/prefix"),
        ("https://gitlab.example.co.uk/jwt/auth", "https://registry.example.co.uk"),
        ("https://REGISTRY.lan:5001/token", "https://registry.lan:5000"),
        ("https://127.0.0.1:5001/token", "http://127.0.0.1:5000"),
        ("http://127.0.0.1:5001/token", "http://127.0.0.1:5000"),
        (
            "https://dockerauth.cn-hangzhou.aliyuncs.com/auth",
            "https://registry.aliyuncs.com",
        ),
    ],
)
def test_credentials_go_to_the_mirrors_own_token_server(realm: str, mirror: str) -> None:
    assert may_be_told(URL(realm), URL(mirror))


@pytest.mark.parametrize(
    ("realm", "mirror"),
    [
        ("https://evil.example/token", "https://registry-1.docker.io"),
        ("https://auth.docker.io.evil.example/token", "https://registry-1.docker.io"),
        ("https://notdocker.io/token", "https://registry-1.docker.io"),
        ("http://auth.docker.io/token", "https://registry-1.docker.io"),
        ("http://quay.io/token", "https://quay.io"),
        ("https://evil.co.uk/token", "https://registry.example.co.uk"),
        ("https://evil.azurecr.io/token", "https://mine.azurecr.io"),
        ("https://evil.github.io/token", "https://mine.github.io"),
        ("https://evil.oss-cn-hangzhou.aliyuncs.com/auth", "https://registry.aliyuncs.com"),
        ("https://192.0.2.7/token", "https://192.0.2.8"),
        ("https://10.0.0.2/token", "https://10.0.0.1"),
        ("https://auth/token", "https://registry"),
        ("ftp://quay.io/token", "https://quay.io"),
        ("https:///token", "https://quay.io"),
    ],
)
def test_credentials_go_nowhere_else(realm: str, mirror: str) -> None:
    assert not may_be_told(URL(realm), URL(mirror))


def test_the_settings_may_name_more_hosts() -> None:
    mirror = URL("https://registry.example")
    assert may_be_told(URL("https://login.other.example/t"), mirror, ["Login.other.example"])
    assert not may_be_told(URL("http://login.other.example/t"), mirror, ["login.other.example"])
    assert may_be_told(URL("https://10.0.0.2/t"), mirror, ["10.0.0.2"])


@pytest.mark.parametrize(
    ("realm", "challenger"),
    [
        ("https://anywhere.example/token", "https://registry.example"),
        ("https://anywhere.example/token", "http://registry.lan"),
        ("http://registry.lan/token", "http://registry.lan:5000"),
        ("https://10.0.0.2/token", "https://10.0.0.1"),
        ("http://127.0.0.1:1/token", "http://127.0.0.1:2"),
        ("http://192.168.1.2/token", "http://192.168.1.1"),
    ],
)
def test_anonymous_tokens_may_be_asked_for(realm: str, challenger: str) -> None:
    assert may_be_asked(URL(realm), URL(challenger))


@pytest.mark.parametrize(
    ("realm", "challenger"),
    [
        ("http://anywhere.example/token", "https://registry.example"),
        ("http://anywhere.example/token", "http://registry.lan"),
        ("http://registry.example/token", "https://registry.example"),
        ("https://127.0.0.1/token", "https://registry.example"),
        ("https://localhost/token", "https://registry.example"),
        ("https://x.localhost./token", "https://registry.example"),
        ("https://169.254.169.254/latest", "https://registry.example"),
        ("https://10.0.0.1/token", "https://registry.example"),
        ("https://[::1]/token", "https://registry.example"),
        ("https://[::ffff:10.0.0.1]/token", "https://registry.example"),
        ("https://[fe80::1]/token", "https://registry.example"),
        ("http://169.254.169.254/latest", "http://8.8.8.8"),
        ("file:///etc/passwd", "https://registry.example"),
        ("/token", "https://registry.example"),
    ],
)
def test_nobody_sends_us_into_the_lan_or_to_plain_http(realm: str, challenger: str) -> None:
    assert not may_be_asked(URL(realm), URL(challenger))


def test_the_settings_may_allow_a_token_server_inside() -> None:
    mirror = URL("https://registry.example")
    assert may_be_asked(URL("https://10.0.0.1/token"), mirror, ["10.0.0.1"])
    assert not may_be_asked(URL("http://10.0.0.1/token"), mirror, ["10.0.0.1"])


@pytest.mark.parametrize(
    ("host", "domain"),
    [
        ("docker.io", "docker.io"),
        ("a.b.docker.io.", "docker.io"),
        ("registry.example.com.cn", "example.com.cn"),
        ("us-docker.pkg.dev", "us-docker.pkg.dev"),
        ("1.dkr.ecr.cn-north-1.amazonaws.com.cn", "cn-north-1.amazonaws.com.cn"),
        ("co.uk", "co.uk"),
        ("registry", "registry"),
        ("10.0.0.1", "10.0.0.1"),
    ],
)
def test_the_registrable_domain_is_one_owners(host: str, domain: str) -> None:
    assert registrable_domain(host) == domain
