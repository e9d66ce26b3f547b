"""Debian's docker-registry (distribution 2.8): a registry to push to, or a pull-through proxy."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urljoin

import aiohttp
from yarl import URL

from fakes.images import Image, Index, sha256
from programs import require_program
from programs.daemon import Daemon, plain_environment
from programs.ports import Port


class DockerRegistry:
    """`async with` starts it with an empty storage below `directory`, and stops it.

    As `proxy_of` a URL it cannot be pushed to, and does not start while nothing answers there.
    """

    def __init__(self, directory: Path, *, proxy_of: str | None = None) -> None:
        self._program = require_program("docker-registry")
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._proxy_of = proxy_of

    async def __aenter__(self) -> Self:
        self._port = Port()
        config: dict[str, object] = {
            "version": "0.1",
            "log": {"level": "info", "accesslog": {"disabled": False}},
            "storage": {"filesystem": {"rootdirectory": str(self._directory / "storage")}},
            "http": {"addr": str(self._port)},
        }
        if self._proxy_of is not None:
            config["proxy"] = {"remoteurl": self._proxy_of}
        file = self._directory / "registry.yaml"
        file.write_text(json.dumps(config, indent=2))
        self._daemon = Daemon(
            (self._program, "serve", str(file)),
            self._directory / "registry.log",
            plain_environment(self._directory, OTEL_TRACES_EXPORTER="none"),
        )
        try:
            await self.start()
        except BaseException:
            self._port.close()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            await self.stop()
        finally:
            self._port.close()

    async def start(self) -> None:
        """Return once it answers; on the same port and with the same content after a `stop`."""

        async def ready() -> bool:
            return await self._port.status_of("/v2/") == 200

        await self._daemon.start(ready)

    async def stop(self) -> None:
        """End it; connections to it are refused until the next `start`."""
        await self._daemon.stop()

    @property
    def url(self) -> str:
        """Where it serves, no slash at the end."""
        return f"http://{self._port}"

    @property
    def host(self) -> str:
        """Host and port, as in an image name."""
        return str(self._port)

    @property
    def pid(self) -> int:
        """Its process id; RuntimeError unless it is running."""
        return self._daemon.pid

    def log(self) -> str:
        """All it has written, access log included."""
        return (self._directory / "registry.log").read_text(errors="replace")

    async def push(self, repository: str, tag: str | None, pushed: Image | Index) -> None:
        """Push an image, or an index with its images; without a tag only under the digest.

        RuntimeError with the registry's own words when it refuses.
        """
        async with aiohttp.ClientSession() as client:
            await self._push(client, repository, tag or str(pushed.digest), pushed)

    async def push_manifest(
        self, repository: str, reference: str, body: bytes, media_type: str
    ) -> None:
        """Push the bytes of a manifest alone; all that it names has to be there."""
        async with aiohttp.ClientSession() as client:
            url = f"{self.url}/v2/{repository}/manifests/{reference}"
            headers = {"Content-Type": media_type}
            async with client.put(url, data=body, headers=headers) as answer:
                await _created(answer, 201)

    def plant(self, repository: str, digest: str, content: bytes, *, manifest: bool) -> None:
        """Put a file into its storage under a digest that need not be that of the content.

        It stands for something that only the owner has, so that a manifest naming it can be pushed.
        """
        hexadecimal = digest.removeprefix("sha256:")
        root = self._directory / "storage/docker/registry/v2"
        kind = "_manifests/revisions" if manifest else "_layers"
        blob = root / "blobs/sha256" / hexadecimal[:2] / hexadecimal / "data"
        link = root / "repositories" / repository / kind / "sha256" / hexadecimal / "link"
        for file, data in ((blob, content), (link, digest.encode())):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)

    async def _push(
        self, client: aiohttp.ClientSession, repository: str, reference: str, pushed: Image | Index
    ) -> None:
        if isinstance(pushed, Index):
            for child in pushed.images:
                await self._push(client, repository, str(child.digest), child)
        else:
            blobs = {str(sha256(data)): data for data in pushed.blobs}
            await asyncio.gather(
                *(self._upload(client, repository, digest, data) for digest, data in blobs.items())
            )
        url = f"{self.url}/v2/{repository}/manifests/{reference}"
        headers = {"Content-Type": pushed.media_type}
        async with client.put(url, data=pushed.manifest, headers=headers) as answer:
            await _created(answer, 201)

    async def _upload(
        self, client: aiohttp.ClientSession, repository: str, digest: str, data: bytes
    ) -> None:
        start = f"{self.url}/v2/{repository}/blobs/uploads/"
        async with client.post(start) as answer:
            await _created(answer, 202)
            location = urljoin(start, answer.headers["Location"])
        separator = "&" if "?" in location else "?"
        # The registry signs its own query: not a character of it may be changed.
        target = URL(f"{location}{separator}digest={digest}", encoded=True)
        headers = {"Content-Type": "application/octet-stream"}
        async with client.put(target, data=data, headers=headers) as answer:
            await _created(answer, 201)


async def _created(answer: aiohttp.ClientResponse, status: int) -> None:
    if answer.status != status:
        said = await answer.text()
        raise RuntimeError(f"{answer.method} {answer.url}: {answer.status} {said}")
