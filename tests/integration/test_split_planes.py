"""Manifests from the owner through a SOCKS proxy, blobs from an open mirror under another name."""

from __future__ import annotations

from pathlib import Path

import pytest

from entrepot.oci.digest import Digest
from fakes.images import image, index
from fakes.registry import FakeRegistry, Fault
from integration.test_proxies import NAMES, Named
from programs.socks import SocksProxy
from unit.web.serving import K8S, NS, serving

pytestmark = pytest.mark.integration

TARGET = f"/v2/coredns/coredns/manifests/v1.11.1{NS}"
BOTH = index([image("x", layers=(200_000,)), image("x", platform="linux/arm64")])
OTHER = image("another image under the same name")


@pytest.mark.parametrize("slow", [False, True], ids=["quick", "slow"])
async def test_the_owner_behind_a_proxy_says_what_a_tag_is_and_an_open_mirror_brings_it(
    tmp_path: Path, *, slow: bool
) -> None:
    async with (
        Named() as owner,
        FakeRegistry() as open_,
        SocksProxy(tmp_path / "socks", NAMES) as proxy,
    ):
        owner.put_image("coredns/coredns", "v1.11.1", BOTH)
        open_.put_image("google_containers/coredns", "v1.11.1", OTHER)
        for one in BOTH.images:
            for data in one.blobs:
                open_.put_blob("google_containers/coredns", data)
        if slow:
            owner.fault(Fault("slow_headers", delay=0.8, times=None))
        mirrors = (
            {"url": open_.url, "repository": "google_containers/{name}"},
            {"url": owner.url, "authority": True, "blobs": False, "proxy": proxy.url},
        )
        trust = {"built_in_pins": False, "policies": {K8S: "authority, first warn"}}
        async with serving(tmp_path, *mirrors, trust=trust) as served:
            got = await served.get(TARGET)
            assert (got.status, got.body) == (200, BOTH.manifest)
            for one in BOTH.images:
                child = await served.get(f"/v2/coredns/coredns/manifests/{one.digest}{NS}")
                assert child.body == one.manifest
                for data in one.blobs:
                    blob = await served.get(f"/v2/coredns/coredns/blobs/{Digest.of(data)}{NS}")
                    assert blob.body == data
        assert owner.requests
        assert owner.asked("/blobs/") == []
        assert open_.bytes_sent("/blobs/") == sum(len(d) for one in BOTH.images for d in one.blobs)
        assert proxy.led_to() == {"registry.test"}
