"""What a client meets: every request of a listener goes through `Frontend`."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from urllib.parse import parse_qs, quote

import structlog
from aiohttp import web

from entrepot.config import ClientSettings
from entrepot.errors import BodyTooLarge, EntrepotError, NotListed, Offline, Unsupported
from entrepot.metrics import Metrics
from entrepot.mirror.blobs import Blobs
from entrepot.mirror.listings import Listings, filtered_referrers, tag_page
from entrepot.mirror.lookahead import LookAhead
from entrepot.mirror.manifests import Manifests, Served
from entrepot.mirror.names import (
    BlobTarget,
    CatalogTarget,
    ImageName,
    ManifestTarget,
    NameTable,
    Ping,
    ReferrersTarget,
    TagsTarget,
    Target,
    UploadTarget,
    parse_target,
)
from entrepot.mirror.offline import OfflineDoor
from entrepot.mirror.signaturedoor import SignatureDoor
from entrepot.mirror.tags import Tags
from entrepot.oci.byterange import parse_range
from entrepot.oci.digest import Digest
from entrepot.oci.mediatype import OCI_INDEX
from entrepot.oci.reference import Reference
from entrepot.setup.offer import Offer
from entrepot.web.access import Access
from entrepot.web.connection import is_encrypted
from entrepot.web.errors import error_reply, is_trouble
from entrepot.web.exchange import Exchange
from entrepot.web.responses import (
    API_VERSION,
    SERVER,
    blob_headers,
    manifest_headers,
    reply,
    send_blob,
    warning,
)
from entrepot.web.setup import setup_page
from entrepot.web.welcome import welcome_text

log = structlog.get_logger(__name__)

_READING = frozenset({"GET", "HEAD"})
_LARGEST_BODY_BYTES = 4096
_LONGEST_HOST = 300
_MAX_PAGE = 10_000
_MOST_DIGITS = 18


@dataclass(frozen=True, slots=True)
class Services:
    """Everything the edge asks; built once by `entrepot.app`."""

    names: NameTable
    manifests: Manifests
    tags: Tags
    blobs: Blobs
    listings: Listings
    offline: OfflineDoor
    metrics: Metrics
    clients: ClientSettings
    headers_s: float
    not_found_instead_of_5xx: bool
    setup: Offer
    signatures: SignatureDoor | None = None
    look_ahead: LookAhead | None = None


class Frontend:
    """The handler of one listener: parse, ask the mirror layer, answer, log one line."""

    def __init__(
        self, services: Services, default_registry: str | None, access: Access | None = None
    ) -> None:
        """`access` None: everybody may have everything."""
        self._services = services
        self._default_registry = default_registry
        self._access = access or Access()

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request; EntrepotError becomes the reply of the error table."""
        loop = asyncio.get_running_loop()
        path = _origin_form(request.raw_path)
        # Without the query: nobody knows what a client has put there.
        bare, _, _ = path.partition("?")
        exchange = Exchange(request.method, bare, request.remote or "", loop.time())
        try:
            response = await self._answer(request, path, exchange)
        except EntrepotError as error:
            response = self._error(request, error, exchange)
        except asyncio.CancelledError:
            exchange.source = "gone"
            raise
        except ConnectionError as error:
            exchange.source = "cut" if exchange.reason else "gone"
            exchange.reason = exchange.reason or str(error)
            raise
        except Exception as error:
            log.exception("request.died", path=bare[:200])
            told = EntrepotError(f"internal error ({type(error).__name__}); see the log")
            response = self._error(request, told, exchange)
        finally:
            exchange.finish(self._services.metrics, loop.time())
        return response

    async def _answer(
        self, request: web.BaseRequest, path: str, exchange: Exchange
    ) -> web.StreamResponse:
        raw_path, _, raw_query = path.partition("?")
        if request.method in _READING and _has_large_body(request):
            raise BodyTooLarge("nothing here is asked for with a body")
        if self._access.required:  # whatever is asked for: not even what is served here
            await self._access.check(request, None)
        if raw_path == "/" and request.method in _READING:
            return self._welcome(request, exchange)
        query = parse_qs(raw_query, keep_blank_values=True) if raw_query else {}
        if raw_path.startswith("/setup") and request.method in _READING:
            host, scheme = _reached(request)
            page = setup_page(self._services.setup, raw_path, host, scheme, query)
            if page is not None:
                return _text(request, exchange, page.encode())
        if request.method not in _READING:
            raise Unsupported(f"{request.method}: this is a read-only mirror, nothing is pushed")
        target = parse_target(
            raw_path,
            query["ns"][0] if "ns" in query else None,
            request.headers.get("Host", "")[:_LONGEST_HOST],
            self._default_registry,
            self._services.names,
        )
        if not self._access.is_open(target):
            await self._access.check(request, target)
        exchange.deadline = exchange.started + self._services.headers_s
        return await self._dispatch(request, target, query, exchange)

    async def _dispatch(
        self,
        request: web.BaseRequest,
        target: Target,
        query: dict[str, list[str]],
        exchange: Exchange,
    ) -> web.StreamResponse:
        match target:
            case ManifestTarget():
                return await self._manifest(request, target, exchange)
            case BlobTarget():
                return await self._blob(request, target, exchange)
            case TagsTarget():
                return await self._tags(request, target, query, exchange)
            case ReferrersTarget():
                return await self._referrers(request, target, query, exchange)
            case Ping():
                await self._access.check_ping(request)
                exchange.kind, exchange.source, exchange.status = "ping", "hit", 200
                return reply(
                    request, 200, {"Content-Type": "application/json", **API_VERSION}, b"{}"
                )
            case CatalogTarget():
                raise NotListed("there is no catalogue here: ask for an image by its name")
            case UploadTarget():
                raise Unsupported("this is a read-only mirror: nothing is pushed to it")

    async def _manifest(
        self, request: web.BaseRequest, target: ManifestTarget, exchange: Exchange
    ) -> web.Response:
        """HEAD and GET alike: the bytes are here before a HEAD names their digest (P6)."""
        image = target.image
        exchange.about("manifest", image, str(target.reference))
        served = await self._served(image, target.reference, exchange.deadline)
        exchange.source, exchange.mirror, exchange.status = served.source, served.mirror, 200
        headers = manifest_headers(image, served.manifest, served.source)
        if served.warning:
            headers["Warning"] = warning(served.warning)
        if request.method == "GET":
            exchange.sent_bytes = served.manifest.size
            if self._services.look_ahead is not None:
                self._services.look_ahead.served(image, served.manifest)
        return reply(request, 200, headers, served.manifest.body)

    async def _served(self, image: ImageName, reference: Reference, deadline: float) -> Served:
        """Find a manifest, which may be given only if it is signed as is asked for here."""
        served = await self._found(image, reference, deadline)
        door, digest = self._services.signatures, served.manifest.digest
        if door is not None and not door.is_open(image, reference, digest):
            await door.pass_through(image, reference, digest, deadline)
        return served

    async def _found(self, image: ImageName, reference: Reference, deadline: float) -> Served:
        services = self._services
        if services.offline.shut:
            return await services.offline.manifest(image, reference, deadline)
        if isinstance(reference, Digest):
            manifests = services.manifests
            return manifests.peek_for(image, reference) or await manifests.get(
                image, reference, deadline
            )
        tags = services.tags
        return tags.peek(image, reference) or await tags.get(image, reference, deadline)

    async def _blob(
        self, request: web.BaseRequest, target: BlobTarget, exchange: Exchange
    ) -> web.StreamResponse:
        image, digest = target.image, target.digest
        exchange.about("blob", image, str(digest))
        blobs = self._services.blobs
        if request.method == "HEAD":
            size, exchange.source = await blobs.stat(image, digest, exchange.deadline)
            exchange.status = 200
            headers = blob_headers(image, digest, size, None, exchange.source)
            return web.Response(status=200, headers=headers)
        reader = await blobs.open(image, digest, exchange.deadline)
        try:
            part = None
            if reader.size is not None:
                # A second line must not go unseen: the first part alone is no answer to both.
                asked = ",".join(request.headers.getall("Range", ()))
                part = parse_range(asked, reader.size)
                reader.whole = part is None or part.open_ended
            exchange.source, exchange.status = reader.source, 200 if part is None else 206
            response = web.StreamResponse(
                status=exchange.status,
                headers=blob_headers(image, digest, reader.size, part, reader.source),
            )
            patience_s = self._services.clients.patience_s
            await send_blob(request, response, reader, part, exchange, patience_s=patience_s)
        finally:
            exchange.mirror = reader.mirror
            reader.close()
        return response

    async def _tags(
        self,
        request: web.BaseRequest,
        target: TagsTarget,
        query: dict[str, list[str]],
        exchange: Exchange,
    ) -> web.Response:
        image = target.image
        exchange.about("tags", image, "")
        count, last = _page_size(query), query.get("last", [None])[-1]
        tags, told = await self._services.listings.tags(image, exchange.deadline)
        page = tag_page(tags, count, last)
        exchange.source, exchange.status = "stale" if told else "miss", 200
        headers = {"Content-Type": "application/json", **API_VERSION}
        if image.via_ns:
            headers["OCI-Namespace"] = image.namespace
        if told:
            headers["Warning"] = warning(told)
        if page.more and page.tags:
            headers["Link"] = f'<{_next_page(image, count, page.tags[-1])}>; rel="next"'
        body = json.dumps({"name": image.client_repository, "tags": list(page.tags)}).encode()
        exchange.sent_bytes = len(body)
        return reply(request, 200, headers, body)

    async def _referrers(
        self,
        request: web.BaseRequest,
        target: ReferrersTarget,
        query: dict[str, list[str]],
        exchange: Exchange,
    ) -> web.Response:
        image = target.image
        exchange.about("referrers", image, str(target.digest))
        listings = self._services.listings
        body, told = await listings.referrers(image, target.digest, exchange.deadline)
        exchange.source, exchange.status = "stale" if told else "miss", 200
        headers = {"Content-Type": OCI_INDEX, **API_VERSION}
        if told:
            headers["Warning"] = warning(told)
        if image.via_ns:
            headers["OCI-Namespace"] = image.namespace
        wanted = query.get("artifactType", [""])[0]
        if wanted:
            body = filtered_referrers(body, wanted)
            headers["OCI-Filters-Applied"] = "artifactType"
        exchange.sent_bytes = len(body)
        return reply(request, 200, headers, body)

    def _welcome(self, request: web.BaseRequest, exchange: Exchange) -> web.Response:
        host, scheme = _reached(request)
        text = welcome_text(host, self._services.names.served, scheme)
        return _text(request, exchange, text)

    def _error(
        self, request: web.BaseRequest, error: EntrepotError, exchange: Exchange
    ) -> web.Response:
        answer = error_reply(
            error,
            user_agent=request.headers.get("User-Agent", ""),
            # A 404 to referrers would say that the image is unsigned (N-3).
            not_found_instead_of_5xx=self._services.not_found_instead_of_5xx
            and exchange.kind != "referrers",
        )
        if isinstance(error, Offline):
            self._services.metrics.offline_refusals.labels(exchange.registry, exchange.kind).inc()
            answer.headers["Warning"] = warning(str(error))  # HEAD has no other place for it
        exchange.source, exchange.status = "error", answer.status
        exchange.failed = is_trouble(error)
        exchange.reason = str(error)[:500]
        exchange.sent_bytes = 0 if request.method == "HEAD" else len(answer.body)
        response = reply(request, answer.status, {**answer.headers, **API_VERSION}, answer.body)
        if _has_large_body(request):
            response.force_close()  # rather than read it
        return response


def _reached(request: web.BaseRequest) -> tuple[str, str]:
    """The address that the client came to, in its own words, and how."""
    return request.headers.get("Host") or request.host, "https" if is_encrypted(request) else "http"


def _text(request: web.BaseRequest, exchange: Exchange, text: bytes) -> web.Response:
    """A page for people and shells; it has the client's own way to us in it, so nobody keeps it."""
    exchange.source, exchange.status = "hit", 200
    exchange.sent_bytes = len(text)
    headers = {
        "Content-Type": "text/plain; charset=utf-8",
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "Server": SERVER,
    }
    return reply(request, 200, headers, text)


def _has_large_body(request: web.BaseRequest) -> bool:
    """Whether more of a body comes than a curious client may send along."""
    if not request.body_exists:
        return False
    length = request.content_length
    return length is None or length > _LARGEST_BODY_BYTES


def _origin_form(target: str) -> str:
    """Path and query of a target, also of one in the absolute form (RFC 9112 section 3.2.2)."""
    if not target.startswith(("http://", "https://")):
        return target
    return "/" + target.partition("://")[2].partition("/")[2]


def _page_size(query: dict[str, list[str]]) -> int | None:
    """`n` as a number; None when it is missing or no number, as registries do (N-2)."""
    text = query.get("n", [""])[0]
    if not text.isdecimal():
        return None
    # Python refuses to read very long numbers; leading zeros do not matter to anybody.
    return min(int(text), _MAX_PAGE) if len(text) <= _MOST_DIGITS else _MAX_PAGE


def _next_page(image: ImageName, count: int | None, last: str) -> str:
    """Relative, the way the client came, with ns kept and no ";" in it (M-3, G-4)."""
    link = f"{image.path_prefix}{image.client_repository}/tags/list?n={count}&last={quote(last)}"
    return f"{link}&ns={quote(image.namespace, safe='')}" if image.via_ns else link
