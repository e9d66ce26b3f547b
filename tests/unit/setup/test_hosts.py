"""hosts.toml, as every containerd from 1.5 on reads it."""

from __future__ import annotations

import tomllib

import pytest

from entrepot.setup.hosts import DEFAULT, hosts_files, hosts_toml
from unit.setup.wishes import HUB, K8S, wish

CAPABLE = {"capabilities": ["pull", "resolve"]}


def read(registry: str, **wanted: object) -> dict[str, object]:
    mirrors = wanted.pop("mirrors", ("10.0.0.5:5000",))
    assert isinstance(mirrors, tuple)
    return tomllib.loads(hosts_toml(registry, wish(*mirrors, **wanted)))  # type: ignore[arg-type]


@pytest.mark.rule("C-5", "C-6", "C-7", "C-8")
def test_the_registry_itself_is_asked_last() -> None:
    """Nothing but what every version knows: else the whole file would be thrown away."""
    assert read(K8S) == {
        "server": "https://registry.k8s.io",
        "host": {"http://10.0.0.5:5000": CAPABLE},
    }
    assert read(HUB)["server"] == "https://registry-1.docker.io"


@pytest.mark.rule("C-7")
def test_strict_has_no_way_round_and_keeps_its_tables() -> None:
    """containerd 1.6 throws a file away that has a server and no host."""
    mirrors = ("a:5000", "b:5000")
    assert read(K8S, strict=True, mirrors=mirrors) == {
        "server": "http://b:5000",
        "host": {"http://a:5000": CAPABLE, "http://b:5000": CAPABLE},
    }


@pytest.mark.rule("C-7")
def test_the_file_for_all_others_names_no_server() -> None:
    assert "server" not in read(DEFAULT)
    assert read(DEFAULT, strict=True)["server"] == "http://10.0.0.5:5000"


@pytest.mark.rule("C-8")
def test_a_ca_stands_below_https_only() -> None:
    mirrors = ("https://a:5443", "b:5000")
    found = read(K8S, ca="/etc/ssl/lan.pem", mirrors=mirrors)["host"]
    assert found == {
        "https://a:5443": {**CAPABLE, "ca": "@ROOT@/etc/ssl/lan.pem"},
        "http://b:5000": CAPABLE,
    }


def test_a_mirror_named_twice_is_one_table() -> None:
    """Two tables of one name would void the file."""
    assert read(K8S, mirrors=("a:5000", "http://A:5000/"))["host"] == {"http://a:5000": CAPABLE}


@pytest.mark.rule("C-4")
def test_the_default_directory_is_for_those_who_look_at_it() -> None:
    wanted = wish(everything=True)
    known = [one.path for one in hosts_files("/c", wanted, knows_default=True)]
    assert known == [f"/c/{name}/hosts.toml" for name in (K8S, HUB, "_default")]
    unknown = [one.path for one in hosts_files("/c", wanted, knows_default=False)]
    assert unknown == known[:-1]
