"""daemon.json, and hosts.toml from Docker 29 on."""

from __future__ import annotations

import json

import pytest

from entrepot.setup.docker import DAEMON_JSON
from unit.setup.wishes import HUB, K8S, plan, text, wish


@pytest.mark.rule("D-1", "S-5")
def test_before_25_a_mirror_has_no_path_so_it_takes_a_port_of_its_own() -> None:
    assert "registry: docker.io" in plan("docker", "20.10.24").impossible
    found = json.loads(text("docker", "20.10.24", DAEMON_JSON, wish(ports={HUB: 5003})))
    assert found == {
        "registry-mirrors": ["http://10.0.0.5:5003"],
        "insecure-registries": ["10.0.0.5:5000", "10.0.0.5:5003"],
    }


@pytest.mark.rule("D-6")
def test_from_25_on_the_registry_is_in_the_path() -> None:
    found = json.loads(text("docker", "28.5.1", DAEMON_JSON))
    assert found["registry-mirrors"] == ["http://10.0.0.5:5000/docker.io"]
    assert "Docker Hub alone" in plan("docker", "28.5.1").notes[0]


@pytest.mark.rule("C-5")
def test_from_29_on_every_registry_is_mirrored() -> None:
    paths = [one.path for one in plan("docker", "29.0.0", wish(everything=True)).files]
    assert paths == [
        DAEMON_JSON,
        "/etc/docker/certs.d/k8s.gcr.io/hosts.toml",
        "/etc/docker/certs.d/docker.io/hosts.toml",
        "/etc/docker/certs.d/_default/hosts.toml",
    ]


def test_https_needs_a_ca_and_no_word_of_insecurity() -> None:
    wanted = wish("https://m:5443", ca="/ca.pem", strict=True)
    made = plan("docker", "27.0.0", wanted)
    assert json.loads(str(made.files[0].text)) == {"registry-mirrors": ["https://m:5443/docker.io"]}
    assert [(one.path, one.text) for one in made.files[1:]] == [
        ("/etc/docker/certs.d/m:5443/ca.crt", None)
    ]
    assert "Docker Hub itself" in made.notes[1]


@pytest.mark.parametrize("version", ["20.10.24", "28.5.1", "29.0.0"])
@pytest.mark.rule("D-1")
def test_docker_hub_is_not_mirrored_where_it_is_not_among_the_registries(version: str) -> None:
    """The mirror would be asked first for every image of Docker Hub, and have none."""
    wanted = wish(registries=(K8S,), ports={HUB: 5003})
    found = json.loads(text("docker", version, DAEMON_JSON, wanted))
    assert found == {"insecure-registries": ["10.0.0.5:5000"]}
    by_https = plan("docker", version, wish("https://m:5443", registries=(K8S,)))
    assert DAEMON_JSON not in [one.path for one in by_https.files]
    assert "10.0.0.5:5000/k8s.gcr.io/pause:3.1" in plan("docker", version, wanted).notes[0]
