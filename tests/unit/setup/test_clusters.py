"""kind and minikube, whose nodes are not the machine that the files are on."""

from __future__ import annotations

import pytest
import yaml

from unit.setup.wishes import HUB, K8S, plan, text, wish

KIND = "~/.config/entrepot/kind"


@pytest.mark.rule("M-1")
def test_kind_mounts_a_directory_into_the_node() -> None:
    new = yaml.safe_load(text("kind", "0.30.0", f"{KIND}/kind.yaml"))
    (node,) = new["nodes"]
    assert node["extraMounts"] == [
        {
            "hostPath": "@HOME@/.config/entrepot/kind/certs.d",
            "containerPath": "/etc/containerd/certs.d",
            "readOnly": True,
        }
    ]
    assert "containerdConfigPatches" not in new
    old = yaml.safe_load(text("kind", "0.20.0", f"{KIND}/kind.yaml"))
    assert 'config_path = "/etc/containerd/certs.d"' in old["containerdConfigPatches"][0]


@pytest.mark.rule("M-1")
def test_the_ca_is_where_the_node_sees_it() -> None:
    made = plan("kind", "0.30.0", wish("https://m:5443", ca="/ca.pem", registries=(K8S,)))
    hosts, copy, _ = made.files
    assert 'ca = "/etc/containerd/certs.d/entrepot-ca.crt"' in str(hosts.text)
    assert (copy.path, copy.text) == (f"{KIND}/certs.d/entrepot-ca.crt", None)


@pytest.mark.rule("M-2")
def test_minikube_copies_files_into_the_node_for_two_runtimes() -> None:
    files = "~/.minikube/files/etc"
    made = plan("minikube", "1.35.0", wish(ports={HUB: 5003}))
    assert [one.path for one in made.files] == [
        *(f"{files}/containerd/certs.d/{name}/hosts.toml" for name in (K8S, HUB)),
        f"{files}/containers/registries.conf.d/zz-entrepot.conf",
    ]
    assert "--registry-mirror=http://10.0.0.5:5003 " in made.notes[1]
    assert "mirror=http://10.0.0.5:5000/docker.io" in plan("minikube", "1.35.0").notes[1]


@pytest.mark.parametrize("client", ["kind", "minikube"])
def test_a_mirror_at_localhost_is_another_machine_there(client: str) -> None:
    assert "another machine" in plan(client, "1.0.0", wish("localhost:5000")).impossible
