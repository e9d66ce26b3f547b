"""`prefetch:` in the settings."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from entrepot.config.prefetch import PrefetchSettings


def test_a_rule_is_read() -> None:
    rule = PrefetchSettings.model_validate(
        {
            "at": ["01:30", "13:00"],
            "images": ["docker.io/library/nginx:1.27"],
            "kubernetes": ["v1.30.5"],
            "platforms": ["linux/arm/v7"],
        }
    )
    assert rule.at == (90, 780)
    assert rule.names[0] == "docker.io/library/nginx:1.27"
    assert "registry.k8s.io/kube-proxy:v1.30.5" in rule.names
    assert "registry.k8s.io/pause:3.6" in rule.names
    assert len(rule.names) == len(set(rule.names))
    assert "registry.k8s.io/pause:3.6" in rule.extras
    assert "registry.k8s.io/pause:3.9" not in rule.extras
    assert rule.extras < set(rule.names)
    alone = PrefetchSettings.model_validate({"at": "0:00", "images": ["quay.io/a:1"]})
    assert (alone.at, alone.names, alone.extras) == ((0,), ("quay.io/a:1",), frozenset())


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("at", "24:00", "time of the day"),
        ("at", "1:60", "time of the day"),
        ("at", 90, "time of the day"),
        ("at", [], "time of the day"),
        ("images", ["nginx:1.27"], "does not begin with a registry"),
        ("images", ["docker.io/library/nginx"], "with its tag"),
        ("images", ["docker.io/library/*:1"], "not one image"),
        ("images", [1], "registry"),
        ("images", ["docker.io/library/nginx@sha256:x"], "digest"),
        ("kubernetes", ["1.99.0"], "not known"),
        ("kubernetes", [1.3], "not a version"),
        ("platforms", ["arm64"], "not a platform"),
        ("platforms", [1], "not a platform"),
    ],
)
def test_mistakes_are_told(key: str, value: object, told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        PrefetchSettings.model_validate({"at": "01:00", key: value})
