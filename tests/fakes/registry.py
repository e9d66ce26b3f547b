"""A registry to pull from: a real server on 127.0.0.1, strict, recorded, and broken to order."""

from __future__ import annotations

import asyncio
import itertools
import socket
import ssl
import weakref
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import trustme
from aiohttp import web

from entrepot.oci.digest import Digest
from fakes import wire
from fakes.cdn import SignedUrls
from fakes.content import Content
from fakes.copies import Copying, copied
from fakes.fault import Fault, FaultKind, deliver
from fakes.images import DOCKER_MANIFEST, Image, Index, SignedManifest
from fakes.pace import Pace
from fakes.pull_api import Manners
from fakes.quota import Quota
from fakes.recorded import Journal, Recorded
from fakes.responder import Elsewhere, Origin, Responder
from fakes.tokens import TokenField, TokenService

__all__ = ["FakeRegistry", "Fault", "FaultKind", "Recorded"]

_SHUTDOWN_S = 5.0
_WAIT_S = 10.0


class _Armed:
    """A fault and how often it will still strike."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.left = fault.times


class FakeRegistry:
    """`async with FakeRegistry() as registry:` and it listens; afterwards nothing of it is left.

    An exception inside the fake itself fails the test when the block ends. Options:

    token_auth / credentials / expires_in / token_field / token_server
        Bearer tokens from `/token` of this server, or of `token_server`; with `credentials`, only
        for those. `realm` replaces the realm that is told.
    basic_auth           (user, password) demanded by every request
    redirect_blobs_to    another FakeRegistry, or "cdn" for one of its own at `.cdn`: blobs are 307
                         to a signed URL there; `cdn_get_only` answers 403 to HEAD of such a URL
    redirect_manifests   another FakeRegistry: everything but `/v2/` is 307 to it, under
                         `redirect_prefix`, query dropped (U-7); content put here goes there
    ratelimit            (manifest GETs, window in seconds)
    bytes_per_second     for each connection
    tls                  https with a throw-away authority; see `ca_pem`
    negotiates / referrers / referrers_per_page / digest_header / gzip_manifests / accept_silently
        deviations from a plain registry
    copying              what it makes of each image that is put here: see `fakes.copies`
    """

    def __init__(
        self,
        *,
        token_auth: bool = False,
        credentials: tuple[str, str] | None = None,
        expires_in: int | None = 300,
        token_field: TokenField = "token",
        token_server: FakeRegistry | None = None,
        realm: str | None = None,
        basic_auth: tuple[str, str] | None = None,
        redirect_blobs_to: FakeRegistry | str | None = None,
        cdn_get_only: bool = True,
        redirect_manifests: FakeRegistry | None = None,
        redirect_prefix: str = "k8s-artifacts-prod/images",
        ratelimit: tuple[int, int] | None = None,
        bytes_per_second: float | None = None,
        tls: bool = False,
        negotiates: bool = True,
        referrers: bool = True,
        referrers_per_page: int | None = None,
        digest_header: bool = True,
        gzip_manifests: bool = False,
        accept_silently: bool = False,
        copying: Copying = "verbatim",
    ) -> None:
        self.content = Content()
        self._copying = copying
        self.signed = SignedUrls(get_only=cdn_get_only)
        self.bytes_per_second = bytes_per_second
        self._token_auth = token_auth
        self._token_server = token_server
        self._realm = realm
        self._token_options = (credentials, expires_in, token_field)
        self._basic_auth = basic_auth
        self._redirect_blobs_to = redirect_blobs_to
        self._redirect_manifests = redirect_manifests
        self._redirect_prefix = redirect_prefix
        self._quota = Quota(*ratelimit) if ratelimit else None
        self._manners = Manners(
            negotiates=negotiates,
            referrers=referrers,
            digest_header=digest_header,
            referrers_per_page=referrers_per_page,
        )
        self._authority = trustme.CA() if tls else None
        self._always = [Fault("silent", times=None)] if accept_silently else []
        if gzip_manifests:
            self._always.append(Fault("gzip", path="/manifests/", times=None))
        self._armed: list[_Armed] = []
        self._mood: Callable[[Recorded], Fault | None] | None = None
        self._failures: list[Exception] = []
        self._journal = Journal()
        self._paces: weakref.WeakKeyDictionary[asyncio.Transport, Pace] = (
            weakref.WeakKeyDictionary()
        )
        self._ids: weakref.WeakKeyDictionary[asyncio.Transport, int] = weakref.WeakKeyDictionary()
        self._next_id = itertools.count(1)
        self._server: web.Server | None = None
        self._listener: asyncio.Server | None = None
        self._cdn: FakeRegistry | None = None

    async def __aenter__(self) -> Self:
        # Bound and never listening, this one keeps the port ours while the listener is down.
        self._place = _bound(0)
        self.port: int = self._place.getsockname()[1]
        credentials, expires_in, token_field = self._token_options
        self.tokens: TokenService = (
            self._token_server.tokens
            if self._token_server
            else TokenService(self.host, credentials, expires_in, token_field)
        )
        if self._redirect_blobs_to == "cdn":
            self._cdn = FakeRegistry(cdn_get_only=self.signed.get_only)
            await self._cdn.__aenter__()
        elif isinstance(self._redirect_blobs_to, FakeRegistry):
            self._cdn = self._redirect_blobs_to
        self._responder = self._composed()
        await self.start()
        return self

    def _composed(self) -> Responder:
        realm = self._realm or f"{(self._token_server or self).url}/token"
        moved = self._redirect_manifests
        return Responder(
            url=self.url,
            content=self.content,
            signed=self.signed,
            tokens=self.tokens,
            manners=self._manners,
            realm=realm if self._token_auth else None,
            basic_auth=self._basic_auth,
            quota=self._quota,
            blobs_at=Origin(self._cdn.url, self._cdn.signed) if self._cdn else None,
            everything_at=Elsewhere(moved.url, self._redirect_prefix) if moved else None,
        )

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop()
        self._place.close()
        if self._redirect_blobs_to == "cdn" and self._cdn is not None:
            await self._cdn.__aexit__(kind, error, traceback)
        if self._failures and error is None:
            raise ExceptionGroup("the fake registry itself failed", self._failures)

    async def start(self) -> None:
        """Listen, on the same port as before."""
        if self._listener is not None:
            raise RuntimeError("already listening")
        context = None
        if self._authority is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
        self._server = web.Server(
            self._handle, handler_cancellation=True, access_log=None, keepalive_timeout=60.0
        )
        self._listener = await asyncio.get_running_loop().create_server(
            self._server, sock=_bound(self.port), ssl=context, backlog=1024
        )

    async def stop(self) -> None:
        """Refuse new connections and reset the open ones; `start` brings it back."""
        if self._listener is None or self._server is None:
            return
        self._listener.close()
        for connection in self._server.connections:
            if connection.transport is not None:
                wire.abort(connection.transport)
        await self._server.shutdown(_SHUTDOWN_S)
        self._listener = self._server = None

    @property
    def host(self) -> str:
        """The host and port, as in an image name."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """Scheme, host and port; no slash at the end."""
        return f"{'https' if self._authority else 'http'}://{self.host}"

    @property
    def cdn(self) -> FakeRegistry:
        """The origin that signed URLs point to; RuntimeError when there is none."""
        if self._cdn is None:
            raise RuntimeError("this registry does not redirect blobs")
        return self._cdn

    @property
    def ca_pem(self) -> bytes:
        """The authority that signed this server's certificate."""
        if self._authority is None:
            raise RuntimeError("this registry speaks plain HTTP")
        return self._authority.cert_pem.bytes()

    def write_ca(self, path: Path) -> Path:
        """Put `ca_pem` into the file `path`, for settings that want a file."""
        path.write_bytes(self.ca_pem)
        return path

    def put_blob(self, repository: str, data: bytes) -> Digest:
        """Hold `data` in `repository`."""
        if self._redirect_manifests is not None:
            return self._redirect_manifests.put_blob(self._moved(repository), data)
        return self.content.put_blob(repository, data)

    def put_manifest(
        self, repository: str, tag: str | None, body: bytes, media_type: str = DOCKER_MANIFEST
    ) -> Digest:
        """Hold exactly these bytes, under their digest and under a tag (moved if it exists)."""
        if self._redirect_manifests is not None:
            there = self._moved(repository)
            return self._redirect_manifests.put_manifest(there, tag, body, media_type)
        return self.content.put_manifest(repository, tag, body, media_type)

    def put_image(
        self, repository: str, tag: str | None, pushed: Image | Index | SignedManifest
    ) -> Digest:
        """Hold an image, or an index and its images: all blobs, all manifests, the tag."""
        if not isinstance(pushed, SignedManifest):
            pushed = copied(pushed, self._copying)
        if self._redirect_manifests is not None:
            return self._redirect_manifests.put_image(self._moved(repository), tag, pushed)
        return self.content.put_image(repository, tag, pushed)

    def fault(self, fault: Fault) -> None:
        """Strike the next requests that match; of several faults, the oldest that matches."""
        self._armed.append(_Armed(fault))

    def trouble(self, mood: Callable[[Recorded], Fault | None]) -> None:
        """Let `mood` choose a fault, or none, for each request that no fault above meets."""
        self._mood = mood

    def clear_faults(self) -> None:
        """Behave from here on."""
        self._armed.clear()
        self._mood = None

    def expire_tokens(self) -> None:
        """Refuse every token issued so far."""
        self.tokens.expire_all()

    def expire_urls(self) -> None:
        """Refuse every signed URL given out so far."""
        self.cdn.signed.expire_all()

    @property
    def requests(self) -> list[Recorded]:
        """Everything asked since the start or `clear`, oldest first."""
        return self._journal.requests

    @property
    def connections(self) -> int:
        """How many client connections are open now."""
        return len(self._server.connections) if self._server else 0

    def asked(self, contains: str = "", method: str | None = None) -> list[Recorded]:
        """The requests whose path or query has `contains` in it."""
        return [
            one for one in self.requests if contains in one.target and method in {None, one.method}
        ]

    def bytes_sent(self, contains: str = "") -> int:
        """Body bytes sent in answer to the requests whose path or query has `contains` in it."""
        return sum(one.bytes_sent for one in self.asked(contains))

    def clear(self) -> None:
        """Forget the requests so far; those still running go on uncounted."""
        self._journal.requests.clear()

    async def until_asked(
        self,
        contains: str = "",
        *,
        method: str | None = None,
        count: int = 1,
        timeout_s: float = _WAIT_S,
    ) -> list[Recorded]:
        """Wait until `count` such requests have arrived, answered or not; TimeoutError if never."""
        await self._journal.until(lambda _: len(self.asked(contains, method)) >= count, timeout_s)
        return self.asked(contains, method)

    async def until_sent(
        self, byte_count: int, contains: str = "", *, timeout_s: float = _WAIT_S
    ) -> None:
        """Wait until that many body bytes have gone out for such requests."""
        await self._journal.until(lambda _: self.bytes_sent(contains) >= byte_count, timeout_s)

    async def until_idle(self, *, timeout_s: float = _WAIT_S) -> None:
        """Wait until no request is being answered."""
        await self._journal.until(lambda seen: all(one.done for one in seen), timeout_s)

    def _moved(self, repository: str) -> str:
        return f"{self._redirect_prefix}/{repository}"

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        record = self._record(request)
        try:
            return await self._respond(request, record)
        except ConnectionError:
            raise
        except Exception as failure:
            self._failures.append(failure)
            raise
        finally:
            record.done = True
            self._journal.note()

    def _record(self, request: web.BaseRequest) -> Recorded:
        transport = request.transport
        assert transport is not None
        path, _, query = request.raw_path.partition("?")
        record = Recorded(
            request.method,
            path,
            query,
            request.headers,
            self._ids.setdefault(transport, next(self._next_id)),
            asyncio.get_running_loop().time(),
        )
        self._journal.add(record)
        return record

    async def _respond(self, request: web.BaseRequest, record: Recorded) -> web.StreamResponse:
        fault = self._strike(record)
        if fault is not None and fault.delay:
            await asyncio.sleep(fault.delay)
        if fault is not None and fault.kind == "refuse":
            await wire.reset(request)
        if fault is not None and fault.kind == "silent":
            await wire.forever()
        answer = self._responder.answer(record, fault)
        delivery = deliver(answer.having(Docker_Distribution_Api_Version="registry/2.0"), fault)
        record.status = delivery.answer.status

        def sent(count: int) -> None:
            record.bytes_sent += count
            self._journal.note()

        return await wire.send(request, delivery, self._pace(request), sent)

    def _strike(self, record: Recorded) -> Fault | None:
        for armed in self._armed:
            if armed.left != 0 and armed.fault.meets(record.method, record.target):
                if armed.left is not None:
                    armed.left -= 1
                return armed.fault
        moody = self._mood(record) if self._mood else None
        met = (fault for fault in self._always if fault.meets(record.method, record.target))
        return moody or next(met, None)

    def _pace(self, request: web.BaseRequest) -> Pace | None:
        if self.bytes_per_second is None or request.transport is None:
            return None
        return self._paces.setdefault(request.transport, Pace(self.bytes_per_second))


def _bound(port: int) -> socket.socket:
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setblocking(False)
    sock.bind(("127.0.0.1", port))
    return sock
