"""The pages at /setup/."""

from __future__ import annotations

import pytest

from entrepot.setup.client import CLIENTS
from entrepot.setup.endpoint import Endpoint
from entrepot.setup.offer import Offer

OFFER = Offer(("registry.k8s.io", "k8s.gcr.io", "docker.io"), {"k8s.gcr.io": 5002})
AT = Endpoint.parse("mirror.lan:5000")


def page(name: str, **query: list[str]) -> str:
    found = OFFER.page(name, AT, query)
    assert found is not None
    return found


@pytest.mark.parametrize("name", ["", "/"])
def test_the_first_page_has_a_line_for_every_client(name: str) -> None:
    found = page(name)
    for client in CLIENTS:
        assert f"    curl -fsSL http://mirror.lan:5000/setup/{client}.sh | sh\n" in found
    assert "http://mirror.lan:5000/setup/node-doctor.sh" in found
    assert "Served: registry.k8s.io, k8s.gcr.io, docker.io" in found


@pytest.mark.parametrize("name", [*CLIENTS, "node-doctor"])
def test_every_script_asks_the_mirror_that_it_came_from(name: str) -> None:
    found = page(f"/{name}.sh")
    assert found.startswith("#!/bin/sh\n")
    assert "mirrors=http://mirror.lan:5000\n" in found


@pytest.mark.parametrize(
    "name", ["/nothing.sh", "/containerd", "/../containerd.sh", "//containerd.sh", ".sh", "x.sh"]
)
def test_there_are_no_other_pages(name: str) -> None:
    assert OFFER.page(name, AT, {}) is None


def test_what_may_be_asked_for() -> None:
    found = page(
        "/containerd.sh",
        registry=["docker.io"],
        strict=[""],
        default=["0"],
        mirror=["https://b:5443"],
        ca=["/etc/lan.pem"],
    )
    assert 'server = "https://b:5443"' in found
    assert "k8s.gcr.io/hosts.toml" not in found
    assert "_default" not in found
    assert "mirrors='http://mirror.lan:5000 https://b:5443'\n" in found
    assert "_default" in page("/containerd.sh", default=[""])
    assert "http://mirror.lan:5002" in page("/containerd.sh")


@pytest.mark.parametrize(
    "query",
    [
        {"registry": ["evil.example"]},
        {"mirror": ["a$(id)"]},
        {"ca": ["/a b"]},
        {"ca": ["/etc/lan.pem"]},
        {"starict": [""]},
    ],
)
def test_what_may_not(query: dict[str, list[str]]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        OFFER.page("/containerd.sh", AT, query)
