"""Addresses behind our own door."""

from __future__ import annotations

import pytest

from entrepot.upstream.inside import is_inside, is_this_machine


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.9.9.9",
        "::1",
        "::ffff:127.0.0.1",
        "169.254.169.254",
        "fe80::1%eth0",
        "0.0.0.0",
        "::",
        "localhost",
        "x.localhost",
    ],
)
def test_this_machine_and_its_link(host: str) -> None:
    assert is_this_machine(host)
    assert is_inside(host)


@pytest.mark.parametrize("host", ["10.0.0.1", "192.168.1.1", "172.16.0.1", "fd00::1", "100.64.0.1"])
def test_private_addresses_are_inside_but_elsewhere(host: str) -> None:
    assert not is_this_machine(host)
    assert is_inside(host)


@pytest.mark.parametrize(
    "host", ["8.8.8.8", "2001:4860:4860::8888", "registry.lan", "notlocalhost", ""]
)
def test_names_and_the_internet_are_outside(host: str) -> None:
    assert not is_inside(host)
