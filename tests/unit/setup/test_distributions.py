"""microk8s and k0s."""

from __future__ import annotations

import tomllib

import pytest

from unit.setup.wishes import HUB, K8S, plan, text, wish

ARGS = "/var/snap/microk8s/current/args"


@pytest.mark.rule("C-4")
def test_microk8s_has_a_directory_of_its_own() -> None:
    made = plan("microk8s", "1.30.1")
    assert [one.path for one in made.files] == [
        f"{ARGS}/certs.d/{name}/hosts.toml" for name in (K8S, HUB)
    ]
    assert made.restart == ""


@pytest.mark.rule("C-1", "C-2")
def test_before_1_23_it_has_a_template() -> None:
    template = f"{ARGS}/containerd-template.toml"
    assert "/v2/k8s.gcr.io" in text("microk8s", "1.20.4", template)
    assert plan("microk8s", "1.18.0").impossible
    assert ":5002" in text("microk8s", "1.18.0", template, wish(ports={K8S: 5002}))


@pytest.mark.rule("C-4", "C-9")
@pytest.mark.parametrize("table", ["io.containerd.grpc.v1.cri", "io.containerd.cri.v1.images"])
def test_k0s_reads_a_drop_in(table: str) -> None:
    version = "1.30.2+k0s.0" if "grpc" in table else "1.36.0+k0s.0"
    found = tomllib.loads(text("k0s", version, "/etc/k0s/containerd.d/entrepot.toml"))
    registry = found["plugins"][table]["registry"]
    assert registry == {"config_path": "@ROOT@/etc/k0s/certs.d"}
    assert found["version"] == (2 if "grpc" in table else 3)
    assert "drop-in" in plan("k0s", "1.26.0").impossible
