"""`--kubernetes`."""

from __future__ import annotations

import click
import pytest

from entrepot.cli.kubernetes import images_for


def test_images_of_versions_and_every_sandbox() -> None:
    told = images_for(("v1.30.5", "v1.18.20"))
    assert {"registry.k8s.io/kube-proxy:v1.30.5", "registry.k8s.io/coredns:1.6.7"} <= set(told)
    assert {f"registry.k8s.io/pause:{tag}" for tag in ("3.1", "3.6", "3.10")} <= set(told)
    assert len(told) == len(set(told))
    assert images_for(()) == ()


@pytest.mark.parametrize("version", ["v1.99.1", "latest", ""])
def test_unknown_versions_are_refused(version: str) -> None:
    with pytest.raises(click.BadParameter):
        images_for((version,))
