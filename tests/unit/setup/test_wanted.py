"""What may be wanted."""

from __future__ import annotations

import pytest

from entrepot.setup.wanted import Wanted, owner_url
from unit.setup.wishes import wish


@pytest.mark.parametrize("registry", ["", "docker.io/library", "$(id)", "Docker.io", "a\nb", 'a"'])
def test_only_names_of_registries_are_registries(registry: str) -> None:
    with pytest.raises(ValueError, match="not the name of a registry"):
        wish(registries=(registry,))


@pytest.mark.parametrize("ca", ["ca.pem", "/a b", "/a/../b", "/a'b", "/a\nb", "/"])
def test_only_plain_paths_are_paths(ca: str) -> None:
    with pytest.raises(ValueError, match="not the absolute path"):
        wish("https://m:5443", ca=ca)


def test_what_cannot_be() -> None:
    with pytest.raises(ValueError, match="no registry"):
        wish(registries=())
    with pytest.raises(ValueError, match="no mirror"):
        Wanted((), ("docker.io",))
    with pytest.raises(ValueError, match="https"):
        wish("http://m:5000", ca="/etc/ca.pem")


def test_where_it_leads() -> None:
    wanted = wish("a:5000", "b:5000", ports={"docker.io": 5003})
    assert wanted.last.host == "b"
    own = wanted.own_endpoint("docker.io")
    assert own is not None
    assert own.url == "http://a:5003"
    assert wanted.own_endpoint("quay.io") is None
    assert [owner_url(one) for one in ("docker.io", "k8s.gcr.io", "quay.io")] == [
        "https://registry-1.docker.io",
        "https://registry.k8s.io",
        "https://quay.io",
    ]
