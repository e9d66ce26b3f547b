"""`/v1/` of the admin listener: what `entrepot ls`, `rm`, `gc` and the like ask for.

All of it needs the token, looking too: names of images are nobody else's business.
"""

from __future__ import annotations

import json
import math
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from aiohttp import web

from entrepot.config import ConfigError, Reloaded
from entrepot.errors import EntrepotError, NameInvalid, Offline
from entrepot.mirror.documents import (
    Document,
    checked_document,
    collected_document,
    image_document,
    keeps_document,
    removal_document,
    scrub_document,
    status_document,
)
from entrepot.mirror.library import Library
from entrepot.mirror.origindocuments import (
    origin_document,
    record_document,
    standing_document,
    suspect_document,
)
from entrepot.oci.errorcode import ErrorCode, error_body
from entrepot.web.errors import error_reply
from entrepot.web.guard import Guard

PAGE = 100
MOST_IMAGES = 1000
_NO_SERVER = "no server runs on this cache: what is in the settings counts when one starts"

Answer: TypeAlias = Callable[[web.Request], Awaitable[Document]]


class AdminApi:
    """The handlers, and what they ask."""

    def __init__(
        self, library: Library, reload: Callable[[], Awaitable[Reloaded]] | None = None
    ) -> None:
        """`reload` reads the settings anew; None where no server runs."""
        self._library = library
        self._reload = reload

    def add_to(self, application: web.Application, guard: Guard) -> None:
        """Add every route, guarded."""
        router = application.router
        for method, path, answer in (
            ("GET", "/v1/status", self.status),
            ("GET", "/v1/images", self.images),
            ("GET", "/v1/images/one", self.image),
            ("GET", "/v1/images/meant", self.meant),
            ("DELETE", "/v1/images", self.remove),
            ("POST", "/v1/gc", self.gc),
            ("GET", "/v1/scrub", self.scrub),
            ("POST", "/v1/scrub", self.begin_scrub),
            ("GET", "/v1/offline", self.offline),
            ("PUT", "/v1/offline", self.set_offline),
            ("GET", "/v1/keeps", self.keeps),
            ("POST", "/v1/keeps", self.keep),
            ("DELETE", "/v1/keeps", self.unkeep),
            ("GET", "/v1/why", self.why),
            ("GET", "/v1/ledger", self.ledger),
            ("GET", "/v1/ledger/mirrors", self.standings),
            ("GET", "/v1/ledger/suspects", self.suspects),
            ("POST", "/v1/reload", self.reload),
        ):
            router.add_route(method, path, guard.protect(in_json(answer)))
        router.add_post("/v1/verify", guard.protect(self.verify))

    async def status(self, _: web.Request) -> Document:
        """Tell how everything is."""
        return status_document(await self._library.status())

    async def images(self, request: web.Request) -> Document:
        """List a page of images; `next` is what to say as `after` for the next one."""
        query, limit = request.query, _limit(request)
        found = await self._library.images(query.get("pattern"), query.get("after"), limit)
        more = found[-1].name if len(found) == limit else None
        begun = await self._library.begun()
        return {"images": [image_document(one, begun) for one in found], "next": more}

    async def image(self, request: web.Request) -> Document:
        """Tell one image, with what is missing."""
        record = await self._library.image(_named(request))
        return image_document(record, await self._library.begun(), missing=True)

    async def meant(self, request: web.Request) -> Document:
        """Tell what else an image may be that is not to be had by its name."""
        return {"names": list(await self._library.origins.meant(_named(request)))}

    async def remove(self, request: web.Request) -> Document:
        """Remove one image."""
        return removal_document(await self._library.remove(_named(request)))

    async def gc(self, _: web.Request) -> Document:
        """Tidy up now."""
        return collected_document(await self._library.gc())

    async def scrub(self, _: web.Request) -> Document:
        """Tell how far the scrub is."""
        return scrub_document(await self._library.scrub_status())

    async def begin_scrub(self, request: web.Request) -> Document:
        """Begin a round; with `wait` the answer comes at its end."""
        if "wait" in request.query:
            await self._library.upkeep.scrubbed()
            return scrub_document(await self._library.scrub_status()) | {"began": True}
        began = self._library.upkeep.scrub_soon()
        return scrub_document(await self._library.scrub_status()) | {"began": began}

    async def offline(self, _: web.Request) -> Document:
        """Tell whether anything may go out."""
        outbound = self._library.outbound
        if outbound is None:
            raise Offline(_NO_SERVER)
        return {"offline": outbound.offline}

    async def set_offline(self, request: web.Request) -> Document:
        """Throw the switch, until the server ends."""
        outbound = self._library.outbound
        if outbound is None:
            raise Offline(_NO_SERVER)
        told = await _told(request, "offline", bool)
        await outbound.set_offline(bool(told))
        return {"offline": outbound.offline}

    async def keeps(self, _: web.Request) -> Document:
        """Tell what is never evicted."""
        return keeps_document(await self._library.keeps())

    async def keep(self, request: web.Request) -> Document:
        """Never evict what matches the pattern."""
        return {"pattern": await self._library.keep(str(await _told(request, "pattern", str)))}

    async def unkeep(self, request: web.Request) -> Document:
        """Keep no more what was told to be kept."""
        return {"pattern": await self._library.unkeep(_named(request, "pattern"))}

    async def why(self, request: web.Request) -> Document:
        """Tell where an image came from."""
        return origin_document(await self._library.origins.why(_named(request)))

    async def ledger(self, request: web.Request) -> Document:
        """Tell the newest records, oldest first; with `limit` of them there may be older ones."""
        query, limit = request.query, _limit(request)
        found = await self._library.origins.records(
            mirror=query.get("mirror"),
            image=query.get("image"),
            since=_seconds(request, "since"),
            limit=limit,
        )
        records = [record_document(record) for record in found]
        return {"records": records, "more": len(found) == limit}

    async def standings(self, request: web.Request) -> Document:
        """Tell how mirrors stand."""
        found = await self._library.origins.standings(_seconds(request, "since") or 0.0)
        return {"mirrors": [standing_document(standing) for standing in found]}

    async def suspects(self, request: web.Request) -> Document:
        """Tell what came from a mirror that nothing better vouches for."""
        mirror, before = _named(request, "mirror"), _seconds(request, "before")
        found = await self._library.origins.came_from(mirror, before)
        return {"suspects": [suspect_document(suspect) for suspect in found]}

    async def reload(self, _: web.Request) -> Document:
        """Read the settings anew; ConfigError, and nothing changes, when they are wrong."""
        if self._reload is None:
            raise Offline(_NO_SERVER)
        done = await self._reload()
        return {"changed": list(done.changed), "restart": list(done.restart)}

    async def verify(self, request: web.Request) -> web.StreamResponse:
        """Hash one image or everything again; a line of JSON for each blob, as it is found.

        The first line tells how much there is to do, the last one has `done`; without that it was
        broken off.
        """
        name, library = request.query.get("name"), self._library
        try:
            before = await library.to_verify(name)
        except EntrepotError as error:
            return refusal(error)
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        await response.prepare(request)
        await _line(response, {"blobs": before.blobs, "bytes": before.bytes})
        try:
            async for checked in library.verify(name):
                await _line(response, checked_document(checked))
            await _line(response, {"done": True})
        except EntrepotError as error:
            await _line(response, {"error": str(error)})
        await response.write_eof()
        return response


def in_json(answer: Answer) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Have a handler's document written as JSON, and its errors too."""

    async def answered(request: web.Request) -> web.StreamResponse:
        try:
            return web.json_response(await answer(request))
        except ConfigError as error:
            body = error_body(ErrorCode.UNSUPPORTED, str(error))
            return web.Response(status=400, body=body, content_type="application/json")
        except EntrepotError as error:
            return refusal(error)

    return answered


def refusal(error: EntrepotError) -> web.Response:
    """Write what an error comes to."""
    reply = error_reply(error)
    return web.Response(status=reply.status, headers=reply.headers, body=reply.body)


async def _line(response: web.StreamResponse, document: Document) -> None:
    await response.write(json.dumps(document).encode() + b"\n")


def _named(request: web.Request, key: str = "name") -> str:
    name = request.query.get(key)
    if not name:
        raise NameInvalid(f"the request says no {key}")
    return name


def _limit(request: web.Request) -> int:
    told = request.query.get("limit", str(PAGE))
    if not told.isdecimal() or not 0 < int(told[:6]) <= MOST_IMAGES or len(told) > 6:
        raise NameInvalid(f"limit is a number from 1 to {MOST_IMAGES}")
    return int(told)


def _seconds(request: web.Request, key: str) -> float | None:
    """Read a time of the epoch."""
    told = request.query.get(key)
    if told is None:
        return None
    try:
        seconds = float(told)
    except ValueError:
        seconds = math.nan
    if not math.isfinite(seconds):
        raise NameInvalid(f"{key} is a time in seconds of the epoch")
    return seconds


async def _told(request: web.Request, key: str, kind: type[object]) -> object:
    """Read one key of a JSON body."""
    try:
        document = await request.json()
    except ValueError as error:
        raise NameInvalid(f"the body is no JSON: {error}") from error
    value = document.get(key) if isinstance(document, dict) else None
    if not isinstance(value, kind):
        raise NameInvalid(f'the body has to be {{"{key}": …}}')
    return value
