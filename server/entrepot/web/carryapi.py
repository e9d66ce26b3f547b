"""The part of `/v1/` by which `entrepot import` brings images, and `export` takes them away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from aiohttp import web

from entrepot.errors import BlobUnknown, DigestInvalid, EntrepotError, NameInvalid, TransferBroken
from entrepot.mirror.documents import Document
from entrepot.mirror.intake import Intake, Verdict
from entrepot.mirror.manifests import MANIFEST_LIMIT_BYTES
from entrepot.oci.digest import Digest
from entrepot.web.adminapi import Answer, in_json, refusal
from entrepot.web.guard import Guard

_PIECE_BYTES = 1 << 20


class CarryApi:
    """The handlers, and what they ask."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake

    def add_to(self, application: web.Application, guard: Guard) -> None:
        """Add every route, guarded."""
        routes: tuple[tuple[str, str, Answer], ...] = (
            ("POST", "/v1/import/plan", self.plan),
            ("PUT", "/v1/blobs/{digest}", self.take_blob),
            ("PUT", "/v1/manifests/{digest}", self.take_manifest),
        )
        for method, path, answer in routes:
            application.router.add_route(method, path, guard.protect(in_json(answer)))
        application.router.add_get("/v1/blobs/{digest}", guard.protect(self.give_blob))

    async def plan(self, request: web.Request) -> Document:
        """Tell what becomes of names that an image has, and which blobs need not be brought."""
        asked = await _object(request)
        names, blobs = asked.get("names", []), asked.get("blobs", [])
        if not _texts(names) or not _texts(blobs):
            raise NameInvalid('the body has to be {"digest": …, "names": [], "blobs": []}')
        held = await self._intake.held([Digest.parse(each) for each in blobs])
        verdicts = []
        if names:
            digest = Digest.parse(str(asked.get("digest", "")))
            verdicts = [await self._intake.judge(each, digest) for each in names]
        return {"names": [_told(each) for each in verdicts], "held": sorted(map(str, held))}

    async def take_blob(self, request: web.Request) -> Document:
        """Keep a blob whose bytes are the body."""
        digest = _digest(request)
        size = request.content_length
        if size is None:
            raise NameInvalid("a blob has to be sent with its Content-Length")
        registry = self._intake.names.canonical(request.query.get("registry", ""))
        if registry is None:
            raise NameInvalid("the request names no registry that is served here")
        new = await self._intake.take_blob(digest, size, registry, _pieces(request))
        return {"digest": str(digest), "size": size, "new": new}

    async def take_manifest(self, request: web.Request) -> Document:
        """Keep a manifest, whose bytes are the body; with `named` under that name."""
        digest, query = _digest(request), request.query
        place = self._intake.place(query.get("name", ""))
        if self._intake.names.canonical(place.registry) is None:
            raise NameInvalid(f"{place.registry} is not served here")
        body = b"".join([piece async for piece in _pieces(request, MANIFEST_LIMIT_BYTES)])
        manifest = await self._intake.take_manifest(
            digest, query.get("type", ""), body, place, named="named" in query
        )
        return {"name": str(place), "digest": str(digest), "media_type": manifest.media_type}

    async def give_blob(self, request: web.Request) -> web.StreamResponse:
        """Give a blob or a manifest as it is on the disk; whoever takes it proves it."""
        room = self._intake.room
        try:
            digest = _digest(request)
            lease = room.leases.take(digest)
        except EntrepotError as error:
            return refusal(error)
        try:
            blob = await room.store.get(digest)
            if blob is None:
                return refusal(BlobUnknown(f"{digest} is not here"))
            try:
                response = web.StreamResponse()
                response.content_length = blob.size
                await response.prepare(request)
                while piece := await asyncio.to_thread(blob.file.read, _PIECE_BYTES):
                    await response.write(piece)
                await response.write_eof()
                return response
            finally:
                blob.close()
        except EntrepotError as error:
            return refusal(error)
        finally:
            lease.release()


async def _pieces(request: web.Request, most: int | None = None) -> AsyncIterator[bytes]:
    taken = 0
    try:
        async for piece in request.content.iter_chunked(_PIECE_BYTES):
            taken += len(piece)
            if most is not None and taken > most:
                raise NameInvalid(f"the body has more than {most} bytes")
            yield piece
    except OSError as error:
        raise TransferBroken("whoever brought it has gone") from error


async def _object(request: web.Request) -> dict[str, Any]:
    try:
        document = await request.json()
    except ValueError as error:
        raise NameInvalid(f"the body is no JSON: {error}") from error
    if not isinstance(document, dict):
        raise NameInvalid("the body is no JSON object")
    return document


def _texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _digest(request: web.Request) -> Digest:
    try:
        return Digest.parse(request.match_info["digest"])
    except DigestInvalid as error:
        raise NameInvalid(str(error)) from error


def _told(verdict: Verdict) -> Document:
    return {
        "told": verdict.told,
        "name": str(verdict.place) if verdict.place is not None else None,
        "registry": verdict.place.registry if verdict.place is not None else None,
        "refused": verdict.refused or None,
        "pinned": str(verdict.pinned) if verdict.pinned is not None else None,
    }
