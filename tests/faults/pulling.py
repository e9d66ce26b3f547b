"""A client that pulls as containerd does, over bare sockets, and counts what it had to put up with.

A body that breaks off is asked for again from where it ended (T-4). Everything is compared byte by
byte with what it should be.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field

from fakes.images import DOCKER_MANIFEST, Image
from unit.web.serving import NS
from wire.client import Answer, Client, client

MOST_TRIES = 5
_ANSWER_S = 60.0


class Corrupt(AssertionError):
    """An answer that came to its proper end, and was wrong."""


class Failed(AssertionError):
    """Not to be had within `MOST_TRIES`."""


@dataclass(slots=True)
class Puller:
    """Pulls from host:port `address`. `counted`: cut, resumed, started over, error statuses."""

    address: str
    counted: Counter[str] = field(default_factory=Counter)

    async def pull(self, repository: str, tag: str, image: Image) -> int:
        """A tag, its manifest, the config and the layers; the bytes received.

        Raises Corrupt, Failed, or TimeoutError for an answer that does not come to an end.
        """
        base = f"/v2/{repository}"
        head = await self._ask("HEAD", f"{base}/manifests/{tag}{NS}")
        digest = head.header("Docker-Content-Digest")
        if digest != str(image.digest) or head.length != len(image.manifest):
            raise Corrupt(f"{repository}:{tag} is {digest}, {head.length} bytes")
        manifest = await self._ask("GET", f"{base}/manifests/{digest}{NS}")
        if manifest.body != image.manifest or manifest.header("Content-Type") != DOCKER_MANIFEST:
            raise Corrupt(f"{repository}@{digest}: another manifest")
        named = json.loads(manifest.body)
        descriptors = [named["config"], *named["layers"]]
        for descriptor, data in zip(descriptors, image.blobs, strict=True):
            await self.blob(f"{base}/blobs/{descriptor['digest']}{NS}", data)
        return len(image.manifest) + sum(map(len, image.blobs))

    async def blob(self, target: str, wanted: bytes) -> None:
        """A whole blob, in as many pieces as it takes."""
        received = bytearray()
        for _ in range(MOST_TRIES):
            fresh = not received
            received += await self._piece(target, len(received), len(wanted))
            if len(received) < len(wanted):
                continue
            if received == wanted:
                return
            if fresh:
                raise Corrupt(f"{target}: {hashlib.sha256(received).hexdigest()}")
            # Some of it came before a cut, which is how a client is told that it was wrong.
            self.counted["started over"] += 1
            received.clear()
        raise Failed(f"{target}: {len(received)} of {len(wanted)} bytes, {dict(self.counted)}")

    async def _piece(self, target: str, start: int, size: int) -> bytes:
        """What one request brings of [start, size)."""
        span = (("Range", f"bytes={start}-"),) if start else ()
        self.counted["resumed"] += bool(start)
        async with asyncio.timeout(_ANSWER_S), client(self.address) as one:
            await one.send("GET", target, *span)
            head = await one.hear_head()
            if head.status >= 400:
                self._refused(head, await _body(one, head))
                return b""
            told = (head.status, head.length, head.header("Content-Range"))
            right = (206, size - start, f"bytes {start}-{size - 1}/{size}")
            if told != (right if start else (200, size, None)):
                raise Corrupt(f"{target} from {start}: {told}")
            body = await _body(one, head)
        self.counted["cut"] += len(body) < size - start
        return body

    async def _ask(self, method: str, target: str) -> Answer:
        for _ in range(MOST_TRIES):
            async with asyncio.timeout(_ANSWER_S), client(self.address) as one:
                answer = await one.ask(method, target)
            if answer.status == 200 and answer.whole:
                return answer
            if answer.status < 400:
                raise Corrupt(f"{method} {target}: {answer.status}, whole: {answer.whole}")
            self._refused(answer, answer.body)
        raise Failed(f"{method} {target}: {dict(self.counted)}")

    def _refused(self, head: Answer, body: bytes) -> None:
        self.counted[f"status {head.status}"] += 1
        if body and head.header("Content-Type") != "application/json":
            raise Corrupt(f"an error that is not JSON: {head}")


async def _body(one: Client, head: Answer) -> bytes:
    """What comes of the body, to the last byte before a break."""
    assert head.length is not None, head
    received = bytearray()
    with suppress(ConnectionResetError):
        while piece := await one.reader.read(head.length - len(received)):
            received += piece
    return bytes(received)
