"""`--kubernetes`."""

from __future__ import annotations

import click
import pytest

from entrepot.cli.kubernetes import Needed, images_for


def test_images_of_versions_and_every_sandbox() -> None:
    told = images_for(("v1.30.5", "v1.18.20"))
    own = {f"registry.k8s.io/{one}" for one in ("kube-proxy:v1.30.5", "coredns:1.6.7")}
    assert own | {f"registry.k8s.io/pause:{tag}" for tag in ("3.9", "3.2")} <= set(told.images)
    assert {f"registry.k8s.io/pause:{tag}" for tag in ("3.1", "3.6", "3.10")} <= set(told.extras)
    every = (*told.images, *told.extras)
    assert len(every) == len(set(every))
    assert images_for(()) == Needed()


@pytest.mark.parametrize("version", ["v1.99.1", "latest", ""])
def test_unknown_versions_are_refused(version: str) -> None:
    with pytest.raises(click.BadParameter):
        images_for((version,))
