"""The part of `/v1/` that fetches ahead: begin, watch, list and end jobs."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

from aiohttp import web

from entrepot.errors import EntrepotError, NameInvalid, NotHere
from entrepot.mirror.documents import Document, time_text
from entrepot.mirror.prefetch import Prefetch
from entrepot.mirror.prefetchjob import Item, Job, Order
from entrepot.web.adminapi import Answer, in_json, refusal
from entrepot.web.guard import Guard

_TELL_EVERY_S = 0.5
_MOST_IMAGES = 10_000


class PrefetchApi:
    """The handlers, and what they ask."""

    def __init__(self, prefetch: Prefetch) -> None:
        self._prefetch = prefetch

    def add_to(self, application: web.Application, guard: Guard) -> None:
        """Add every route, guarded."""
        routes: tuple[tuple[str, str, Answer], ...] = (
            ("GET", "/v1/prefetch", self.jobs),
            ("DELETE", "/v1/prefetch", self.cancel),
        )
        for method, path, answer in routes:
            application.router.add_route(method, path, guard.protect(in_json(answer)))
        application.router.add_post("/v1/prefetch", guard.protect(self.begin))

    async def jobs(self, _: web.Request) -> Document:
        """List the jobs in progress, and the last that have ended."""
        return {"jobs": [self._document(job) for job in self._prefetch.jobs()]}

    async def cancel(self, request: web.Request) -> Document:
        """End a job; what it has fetched stays, also of blobs that are not complete."""
        told = request.query.get("id", "")
        job = await self._prefetch.cancel(int(told)) if told.isdecimal() else None
        if job is None:
            raise NotHere(f"there is no prefetch {told[:20]!r}")
        return self._document(job)

    async def begin(self, request: web.Request) -> web.StreamResponse:
        """Begin a job, and tell how it goes, line by line, until it ends.

        It ends with whoever watches, unless `background` was said: then the answer is one line.
        """
        try:
            order = await _order(request)
        except EntrepotError as error:
            return refusal(error)
        background = "background" in request.query
        job = self._prefetch.start(replace(order, patient=background))
        if background:
            return web.json_response(self._document(job))
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        try:
            await response.prepare(request)
            await self._watch(job, response)
            await response.write_eof()
        finally:
            await asyncio.shield(self._prefetch.cancel(job.number))
        return response

    async def _watch(self, job: Job, response: web.StreamResponse) -> None:
        told: dict[str, Document] = {}
        while True:
            ended = job.ended
            for item in job.items:
                document = _item(item)
                if told.get(item.told) != document:
                    told[item.told] = document
                    await _line(response, {"image": document})
            await _line(response, {"progress": self._progress(job)})
            if ended:
                await _line(response, {"done": True, "failed": len(job.failed)})
                return
            await job.heard(_TELL_EVERY_S)

    def _document(self, job: Job) -> Document:
        return {
            "id": job.number,
            "origin": job.order.origin,
            "platforms": list(job.order.platforms),
            "began_at": time_text(job.began_at),
            "ended": job.ended,
            "cancelled": job.cancelled,
            "progress": self._progress(job),
            "images": [_item(item) for item in job.items],
        }

    def _progress(self, job: Job) -> Document:
        progress = self._prefetch.progress(job)
        return {
            "bytes": progress.bytes,
            "bytes_total": progress.bytes_total,
            "done": progress.done,
            "failed": progress.failed,
            "images": progress.images,
            "standing_back": progress.standing_back,
        }


def _item(item: Item) -> Document:
    return {
        "told": item.told,
        "name": item.name or None,
        "state": item.state.value,
        "digest": str(item.digest) if item.digest is not None else None,
        "reason": item.reason or None,
        "extra": item.extra,
        "again_in": item.rest_s,
        "bytes": item.bytes,
        "fetched": item.fetched_bytes,
    }


async def _order(request: web.Request) -> Order:
    try:
        document = await request.json()
    except ValueError as error:
        raise NameInvalid(f"the body is no JSON: {error}") from error
    if isinstance(document, dict):
        told = [document.get(key, []) for key in ("images", "platforms", "extras")]
        if all(map(_texts, told)) and 0 < len(told[0]) <= _MOST_IMAGES:
            images, platforms, extras = map(tuple, told)
            return Order(images, platforms, extras=frozenset(extras))
    raise NameInvalid('the body has to be {"images": ["…"], "platforms": []}')


def _texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


async def _line(response: web.StreamResponse, document: Document) -> None:
    await response.write(json.dumps(document).encode() + b"\n")
