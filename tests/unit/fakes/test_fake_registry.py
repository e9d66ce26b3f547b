"""The fake registry is a registry: what a well-behaved one does, and its options."""

from __future__ import annotations

import aiohttp
import pytest

from fakes.images import DOCKER_LIST, DOCKER_MANIFEST, image, index
from fakes.registry import FakeRegistry

ACCEPT = {"Accept": f"{DOCKER_MANIFEST},{DOCKER_LIST}"}


async def test_image_is_there_after_put() -> None:
    async with FakeRegistry() as registry, aiohttp.ClientSession() as client:
        both = index([image(1), image(1, platform="linux/arm64")])
        digest = registry.put_image("pause", "3.1", both)
        async with client.get(f"{registry.url}/v2/pause/manifests/3.1", headers=ACCEPT) as answer:
            assert answer.status == 200
            assert answer.headers["Docker-Content-Digest"] == str(digest)
            assert answer.headers["Content-Type"] == DOCKER_LIST
            assert await answer.read() == both.manifest
        layer = both.images[1].layers[0]
        url = f"{registry.url}/v2/pause/blobs/{registry.put_blob('pause', layer)}"
        async with client.get(url) as answer:
            assert await answer.read() == layer
        assert [(one.method, one.path, one.status) for one in registry.requests] == [
            ("GET", "/v2/pause/manifests/3.1", 200),
            ("GET", url.removeprefix(registry.url), 200),
        ]
        assert registry.bytes_sent("/blobs/") == len(layer)


async def test_stopped_registry_refuses_and_comes_back_on_its_port() -> None:
    async with FakeRegistry() as registry, aiohttp.ClientSession() as client:
        url = registry.url
        async with client.get(f"{url}/v2/") as answer:
            assert answer.status == 200
        await registry.stop()
        with pytest.raises(aiohttp.ClientConnectionError):
            await client.get(f"{url}/v2/")
        await registry.start()
        assert registry.url == url
        async with client.get(f"{url}/v2/") as answer:
            assert answer.status == 200
