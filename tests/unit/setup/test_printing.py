"""Plans for reading."""

from __future__ import annotations

import tomllib

from entrepot.setup.printing import printed
from unit.setup.wishes import K8S, plan, wish


def test_every_file_is_told_and_the_rest_is_comments() -> None:
    told = printed(plan("containerd", "2.1.0", wish(registries=(K8S,))))
    hosts, config = told.split("# /etc/containerd/config.toml")
    assert hosts.startswith("# /etc/containerd/certs.d/k8s.gcr.io/hosts.toml\n")
    assert "@" not in told
    found = tomllib.loads(config.partition("\n")[2])
    registry = found["plugins"]["io.containerd.cri.v1.images"]["registry"]
    assert registry == {"config_path": "/etc/containerd/certs.d"}
    assert '# Take out, with all below them: [plugins."io.containerd.cri.v1.images"' in told
    assert "# Then: systemctl restart containerd\n" in told


def test_what_is_impossible_and_what_is_copied() -> None:
    assert printed(plan("docker", "20.10.0")).startswith("# Docker before 25")
    told = printed(plan("podman", "4.0.0", wish("https://m:5443", ca="/ca.pem")), "/ca.pem")
    assert "# /etc/containers/certs.d/m:5443/ca.crt: a copy of /ca.pem\n" in told
