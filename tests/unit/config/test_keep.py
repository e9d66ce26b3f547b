"""Rules for what is never evicted."""

from __future__ import annotations

import pytest

from entrepot.config.keep import parse_keep


def test_a_pattern_is_itself() -> None:
    rule = parse_keep("k8s.gcr.io/pause:*")
    assert [str(pattern) for pattern in rule.patterns] == ["k8s.gcr.io/pause:*"]
    assert str(rule) == "k8s.gcr.io/pause:*"
    assert parse_keep(rule) is rule


def test_a_version_of_kubernetes_is_what_it_pulls_and_every_sandbox() -> None:
    rule = parse_keep({"kubernetes": "v1.30.5"})
    names = [str(pattern) for pattern in rule.patterns]
    assert "registry.k8s.io/kube-proxy:v1.30.5" in names
    assert "registry.k8s.io/pause:3.6" in names
    assert len(names) == len(set(names))
    assert str(rule) == "kubernetes v1.30.5"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("nginx", "begin with a registry"),
        ("docker.io/a@sha256:0", "digest"),
        ({"kubernetes": 1.3}, "write it as v1.30.5"),
        ({"kubernetes": "v1.99.0"}, "nearest"),
        ({"kubernets": "v1.30.5"}, "not a rule"),
        (7, "not a rule"),
    ],
)
def test_what_is_no_rule(value: object, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_keep(value)
