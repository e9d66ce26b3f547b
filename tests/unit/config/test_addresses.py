"""Addresses, names of registries, urls."""

import pytest
from pydantic import TypeAdapter, ValidationError

from entrepot.config.addresses import (
    Address,
    HostName,
    HostPattern,
    IpAddress,
    ProxyUrl,
    RegistryHost,
    check_mirror_url,
    is_ip_address,
)


@pytest.mark.parametrize(
    ("written", "host", "port"),
    [
        ("0.0.0.0:5000", "0.0.0.0", 5000),
        ("127.0.0.1:0", "127.0.0.1", 0),
        ("localhost:5000", "localhost", 5000),
        ("[::]:5000", "::", 5000),
        ("[fe80::1]:65535", "fe80::1", 65535),
    ],
)
def test_address_is_read_and_written_back(written: str, host: str, port: int) -> None:
    address = Address.model_validate(written)
    assert (address.host, address.port) == (host, port)
    assert str(address) == written
    assert Address.model_validate({"address": written}) == address
    assert Address(host=host, port=port) == address


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("0.0.0.0", "write host:port"),
        (5000, "write host:port"),
        (":5000", "write host:port"),
        ("host:http", "write host:port"),
        ("http://host:80", "not an IPv6 address"),
        ("a b:80", "write host:port"),
        ("::1:5000", "put brackets round"),
        ("[::g]:5000", "not an IPv6 address"),
        ("host:65536", "at most 65535"),
        ({"host": "h", "port": 65536}, "at most 65535"),
    ],
)
def test_what_is_no_address_is_refused(written: object, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Address.model_validate(written)


@pytest.mark.parametrize("name", ["docker.io", "registry.k8s.io", "localhost:5001", "10.0.0.5:80"])
def test_registry_is_named_by_its_host(name: str) -> None:
    adapter: TypeAdapter[str] = TypeAdapter(RegistryHost)
    assert adapter.validate_python(name) == name


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("https://docker.io", "by its host alone"),
        ("docker.io/library", "by its host alone"),
        ("", "by its host alone"),
        ("-x", "by its host alone"),
        ("Docker.io", "lower case"),
    ],
)
def test_what_names_no_registry_is_refused(name: str, message: str) -> None:
    adapter: TypeAdapter[str] = TypeAdapter(RegistryHost)
    with pytest.raises(ValidationError, match=message):
        adapter.validate_python(name)


def test_host_header_is_kept_in_lower_case_and_without_port() -> None:
    adapter: TypeAdapter[str] = TypeAdapter(HostName)
    assert adapter.validate_python("K8s.Mirror.LAN") == "k8s.mirror.lan"
    with pytest.raises(ValidationError, match="without a port"):
        adapter.validate_python("k8s.mirror.lan:80")


@pytest.mark.parametrize(
    ("written", "url"),
    [
        ("https://registry.k8s.io", "https://registry.k8s.io"),
        ("https://registry.k8s.io/", "https://registry.k8s.io"),
        ("http://127.0.0.1:5000", "http://127.0.0.1:5000"),
        ("http://[::1]:5000/", "http://[::1]:5000"),
        ("https://HOST.example/Path/", "https://host.example/Path"),
    ],
)
def test_mirror_url_loses_its_last_slash(written: str, url: str) -> None:
    assert check_mirror_url(written) == url


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("registry.k8s.io", "begins with https://"),
        ("ftp://registry.k8s.io", "begins with https://"),
        ("https://", "not a url"),
        ("https://host:port", "not a url"),
        ("https://host:0", "not a url"),
        ("https://host:99999", "not a url"),
        ("https://[::1", "not a url"),
        ("https://a b", "not a url"),
        ("https://u:p@host", "under credentials"),
        ("https://host?ns=docker.io", r"no \? or # part"),
        ("https://host?", r"no \? or # part"),
        ("https://host#x", r"no \? or # part"),
        ("https://host/v2/", "leave /v2 out"),
    ],
)
def test_bad_mirror_url_is_refused(written: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_mirror_url(written)


def test_proxy_may_carry_a_password() -> None:
    adapter: TypeAdapter[str] = TypeAdapter(ProxyUrl)
    assert adapter.validate_python("http://u:p@proxy:3128/") == "http://u:p@proxy:3128"


@pytest.mark.parametrize("written", ["socks5://proxy", "socks5h://u:p@[::1]:1080", "direct"])
def test_proxy_may_be_a_socks_proxy_or_none_at_all(written: str) -> None:
    adapter: TypeAdapter[str] = TypeAdapter(ProxyUrl)
    assert adapter.validate_python(written) == written


def test_addresses_are_numbers() -> None:
    adapter: TypeAdapter[str] = TypeAdapter(IpAddress)
    assert adapter.validate_python("[2001:DB8::1]") == "2001:db8::1"
    assert is_ip_address("127.0.0.1")
    for wrong in ("registry.example", "1.2.3", "1.2.3.4:443", ""):
        with pytest.raises(ValidationError, match="not an IP address"):
            adapter.validate_python(wrong)


def test_a_host_pattern_is_a_name_with_stars() -> None:
    adapter: TypeAdapter[str] = TypeAdapter(HostPattern)
    assert adapter.validate_python("*.PKG.dev") == "*.pkg.dev"
    assert adapter.validate_python("*") == "*"
    for wrong in ("https://*.pkg.dev", "a b", "", "a?"):
        with pytest.raises(ValidationError, match="not a host name"):
            adapter.validate_python(wrong)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("socks4://proxy:1080", r"begins with http://, https://, socks5:// or socks5h://"),
        ("ftp://proxy", "begins with http://"),
        ("proxy:3128", "direct means none"),
        ("Direct", "direct means none"),
        ("http://proxy:3128/path", "ends after the port"),
    ],
)
def test_bad_proxy_is_refused(written: str, message: str) -> None:
    adapter: TypeAdapter[str] = TypeAdapter(ProxyUrl)
    with pytest.raises(ValidationError, match=message):
        adapter.validate_python(written)
