"""The page for people."""

from __future__ import annotations

import tomllib

from entrepot.web.welcome import welcome_text

TEXT = welcome_text("10.0.0.5:5000", "docker.io, registry.k8s.io (also as k8s.gcr.io)").decode()


def test_it_tells_what_is_served_and_where() -> None:
    assert "registry.k8s.io (also as k8s.gcr.io)" in TEXT
    assert "http://10.0.0.5:5000" in TEXT


def test_the_hosts_toml_on_it_is_one_that_every_containerd_reads() -> None:
    """Rule C-5: nothing but pull and resolve; C-8: no skip_verify or ca beside http."""
    inside = TEXT.split("<<'EOF'\n")[1].split("\n    EOF")[0]
    hosts = tomllib.loads(inside)
    assert hosts == {
        "server": "https://registry.k8s.io",
        "host": {"http://10.0.0.5:5000": {"capabilities": ["pull", "resolve"]}},
    }
