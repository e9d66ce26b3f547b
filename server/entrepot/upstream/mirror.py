"""One mirror of one registry, asked in the registry's own names."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection

from yarl import URL

from entrepot.config import MirrorSettings, TimeoutSettings
from entrepot.errors import (
    AttemptError,
    BlockPage,
    MirrorFailed,
    MirrorLied,
    MirrorNotFound,
    MirrorSilent,
)
from entrepot.metrics import Metrics
from entrepot.oci.digest import Digest
from entrepot.oci.manifest import Manifest
from entrepot.oci.mediatype import ACCEPT, OCI_INDEX, bare
from entrepot.oci.reference import Reference, RepositoryName, Tag
from entrepot.tasks import TaskOwner
from entrepot.upstream.asking import Asker
from entrepot.upstream.authentication import Authenticator
from entrepot.upstream.blobanswer import BlobAnswer, judge_blob, parse_length
from entrepot.upstream.blobstream import BlobStream
from entrepot.upstream.body import read_body
from entrepot.upstream.certificates import Certificates
from entrepot.upstream.contentcoding import decode
from entrepot.upstream.contentrange import parse_content_range, parse_unsatisfied
from entrepot.upstream.gate import BUSY_S, Gates
from entrepot.upstream.limits import Kind, own_limit
from entrepot.upstream.listing import joined_referrers, next_page, read_tags
from entrepot.upstream.manifestanswer import (
    BLOCK_PAGE,
    LARGEST_MANIFEST_BYTES,
    ManifestHead,
    first_hop_size,
    judge_head,
    judge_manifest,
)
from entrepot.upstream.notices import Notices
from entrepot.upstream.outbound import Outbound
from entrepot.upstream.quota import Quota
from entrepot.upstream.request import Answer, Question
from entrepot.upstream.tokens import TokenCache
from entrepot.upstream.tokenserver import TokenServer
from entrepot.upstream.transport import Transport

_LARGE_BYTES = 256 << 10  # from here on parsing and hashing leave the event loop
_MOST_PAGES = 200
_NO_SUCH_API = frozenset({400, 405})
"""How registries answer that know no referrers (N-3), beside 404."""


class MirrorClient:
    """Asks one mirror. `start` before the first question, `aclose` after the last.

    Repositories are named as the registry names them; the mirror's naming rule is applied here.
    Every question raises AttemptError and nothing else, may be cancelled at any time, and waits for
    the head of an answer as long as its caller does (`asyncio.timeout`): only connecting, token
    servers and standing still inside a body have limits of their own.
    """

    def __init__(
        self,
        registry: str,
        settings: MirrorSettings,
        timeouts: TimeoutSettings,
        gates: Gates | None = None,
        *,
        outbound: Outbound | None = None,
        certificates: Certificates | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        """`registry` is the canonical name of the registry that this mirror stands in for.

        `gates` are shared with the mirrors of other registries, whose limits are the same host's,
        `outbound` with everything that goes out, and `certificates` with all that trust the same
        authorities.
        """
        self.registry = registry
        self.name = settings.name
        self.host = settings.host
        self._settings, self._timeouts = settings, timeouts
        self.authority = settings.authority
        self.gives_blobs = settings.blobs
        self.streams = settings.limits.streams
        self.patience_s = settings.patience
        self._naming = settings.naming
        self._base = f"{settings.url}/v2/"
        self._stall_s = timeouts.stall
        self._owner = TaskOwner(f"mirror {settings.name}")
        self._outbound = outbound or Outbound()
        self._outbound.connected(self._hang_up)
        self._transport = Transport(settings, timeouts, self._outbound, certificates)
        server = TokenServer(self._transport, timeouts.stall)
        self._authenticator = Authenticator(settings, server, TokenCache(self._owner))
        self._asker = Asker(
            registry,
            settings,
            (gates or Gates()).of(settings.url, settings.limits),
            self._transport,
            self._authenticator,
            stall_s=timeouts.stall,
            metrics=metrics,
        )
        self.health = self._asker.health
        self.notices = Notices()

    def __repr__(self) -> str:
        return f"<MirrorClient {self.name} for {self.registry}: {self.health!r}>"

    async def start(self) -> None:
        """Open the connection pool; nothing is sent. OSError when the CA file cannot be read."""
        await self._transport.start()

    async def aclose(self) -> None:
        """Give up token requests and close all connections, streams still open included."""
        await self._owner.aclose()
        await self._transport.aclose()
        self._outbound.disconnected(self._hang_up)

    async def _hang_up(self) -> None:
        await self._owner.cancel()
        await self._transport.hang_up()

    def fits(self, settings: MirrorSettings, timeouts: TimeoutSettings) -> bool:
        """Whether a new client with these settings would be the same as this one.

        One that reads files as it starts is not: they may have changed.
        """
        same = (settings, timeouts) == (self._settings, self._timeouts)
        return same and not settings.read_at_start

    @property
    def offline(self) -> bool:
        """Whether every question would end in MirrorOffline, without anything being sent."""
        return self._outbound.offline

    @property
    def quota(self) -> Quota | None:
        """What the mirror last said of the pulls it still grants."""
        return self._asker.quota.quota

    @property
    def token_servers(self) -> tuple[str, ...]:
        """Name the token servers that were asked on its behalf, as far as is known by now."""
        return self._authenticator.token_servers

    def ready_in(self, now: float, kind: Kind = Kind.BLOB) -> float:
        """Tell the seconds until a question may be sent, by all that is known; 0 for now."""
        return self._asker.ready_in(now, kind)

    def spent(self, now: float) -> bool:
        """Whether as many bytes of blobs have come from it as may come in their time."""
        return self._asker.spent(now)

    def silence(self, elapsed_s: float) -> MirrorSilent:
        """Make the error for a question that its asker gave up on after so long.

        It says whether the silence was the mirror's own or that of a host it had led to.
        """
        return self._asker.hosts.silence(f"no answer within {elapsed_s:.1f} s")

    def late(self, patience_s: float, held_up_s: float) -> AttemptError:
        """Make the error for no answer in time, of which our own limits took `held_up_s`."""
        if held_up_s > patience_s / 2:
            return own_limit("our own limits left no time to answer", BUSY_S)
        return self.silence(patience_s - held_up_s)

    def carries(self, repository: RepositoryName) -> bool:
        """Whether the naming rule has a name for it here."""
        return self._naming.repository(self.registry, repository) is not None

    def upstream_name(self, repository: RepositoryName) -> str:
        """Tell what the mirror calls it, for messages; the name itself when it is not carried."""
        return self._naming.repository(self.registry, repository) or repository

    async def head_manifest(self, repository: RepositoryName, reference: Reference) -> ManifestHead:
        """Ask what a reference stands for, without the bytes: free of charge on Docker Hub (U-9).

        A mirror that refuses HEAD is asked with GET.
        """
        question = self._manifest_question("HEAD", repository, reference)
        async with self._asker.asking(question) as answer:
            if answer.status not in {200, 405, 501}:
                raise await self._asker.refusal(answer)
            if answer.status == 200:
                self._hear(repository, reference, answer)
                return judge_head(answer.response.headers, reference)
        manifest = await self.get_manifest(repository, reference)
        return ManifestHead(manifest.digest, manifest.media_type, manifest.size)

    async def get_manifest(self, repository: RepositoryName, reference: Reference) -> Manifest:
        """Fetch a manifest; its bytes are proved by a digest reference, or by the digest header.

        MirrorLied when they are not what they should be or no manifest at all (P8, U-13),
        MirrorFailed beyond 8 MiB (C-15).
        """
        async with self._asker.asking(
            self._manifest_question("GET", repository, reference)
        ) as answer:
            if answer.status != 200:
                raise await self._asker.refusal(answer)
            headers = answer.response.headers
            if bare(headers.get("Content-Type")) == "text/html":
                raise BlockPage(BLOCK_PAGE, status=200)
            body = await self._read(answer)
            self._hear(repository, reference, answer)
        expected = reference if isinstance(reference, Digest) else None
        try:
            if len(body) > _LARGE_BYTES:
                return await asyncio.to_thread(judge_manifest, body, headers, expected)
            return judge_manifest(body, headers, expected)
        except ValueError as error:
            raise MirrorLied(str(error), status=200) from error

    def _hear(self, repository: RepositoryName, reference: Reference, answer: Answer) -> None:
        self.notices.hear(repository, reference, answer.response.headers.getall("Warning", ()))

    async def head_blob(self, repository: RepositoryName, digest: Digest) -> int | None:
        """Tell a blob's size; None when the mirror has it but will not say how long it is.

        Signed urls behind a redirect are often good for GET only (U-4): then one byte is asked for,
        and the size read off the range (Q-1).
        """
        question = self._blob_question("HEAD", repository, digest, {})
        async with self._asker.asking(question) as answer:
            headers = answer.response.headers
            if bare(headers.get("Content-Type")) == "text/html" and answer.status == 200:
                raise BlockPage(BLOCK_PAGE, status=200)
            coded = headers.get("Content-Encoding", "identity").strip().lower() != "identity"
            size = None if coded else parse_length(headers.get("Content-Length"))
            if answer.status == 200 and (size or (size == 0 and digest.matches(b""))):
                return size
            unsure = answer.status in {200, 405, 501}
            if not unsure and not (answer.redirected and answer.status in {400, 403}):
                raise await self._asker.refusal(answer)
            if answer.redirected and (told := first_hop_size(answer, digest)) is not None:
                return told
        return await self._probe_blob(repository, digest)

    async def open_blob(
        self,
        repository: RepositoryName,
        digest: Digest,
        *,
        start: int = 0,
        stop: int | None = None,
        expected_size: int | None = None,
    ) -> BlobStream:
        """Begin to fetch a blob from byte `start` up to `stop` or its end; the caller closes it.

        A mirror that ignores ranges may send more than was asked for: see the stream's `stop`.
        MirrorLied when the answer contradicts `expected_size` or is not the range asked for (P12),
        MirrorFailed when the mirror ignores ranges and too much would be thrown away.
        """
        last = "" if stop is None else stop - 1
        headers = {"Range": f"bytes={start}-{last}"} if start or stop is not None else {}
        question = self._blob_question("GET", repository, digest, headers)

        def judge(answer: Answer) -> BlobAnswer:
            return judge_blob(
                answer.status, answer.response.headers, start=start, expected_size=expected_size
            )

        answer, judged, passage = await self._asker.open(question, judge)
        return BlobStream(
            answer.response,
            start=start,
            stop=judged.stop,
            size=judged.size,
            skip=judged.skip,
            stall_s=self._stall_s,
            passage=passage,
        )

    async def list_tags(self, repository: RepositoryName) -> tuple[Tag, ...]:
        """List the tags, following pages (N-2), in the mirror's order; MirrorLied for no list."""
        name = self._named(repository)
        tags: dict[Tag, None] = {}
        async for body in self._pages(name, "tags/list?n=1000", "application/json"):
            try:
                tags.update(dict.fromkeys(read_tags(body)))
            except ValueError as error:
                raise MirrorLied(str(error), status=200) from error
        return tuple(tags)

    async def get_referrers(self, repository: RepositoryName, digest: Digest) -> bytes:
        """Fetch the index of what refers to a digest: as it came, or of all pages that it has.

        MirrorNotFound when the mirror has no such API, which 404, 400 and 405 mean (N-3).
        """
        name = self._named(repository)
        target, held = f"referrers/{digest}", 0
        pages = []
        async for body in self._pages(name, target, OCI_INDEX, absent=_NO_SUCH_API):
            held += len(body)
            if held > LARGEST_MANIFEST_BYTES:
                raise MirrorFailed(f"more than {LARGEST_MANIFEST_BYTES} bytes of referrers")
            pages.append(body)
        try:
            return joined_referrers(pages)
        except ValueError as error:
            raise MirrorLied(str(error), status=200) from error

    async def _pages(
        self, name: RepositoryName, target: str, accept: str, *, absent: Collection[int] = ()
    ) -> AsyncIterator[bytes]:
        """Give the bodies of a list, page by page (N-2); `absent` is as good as 404."""
        url: URL | None = URL(f"{self._base}{name}/{target}", encoded=True)
        for _ in range(_MOST_PAGES):
            assert url is not None
            question = Question("GET", url, _scope(name), {"Accept": accept})
            async with self._asker.asking(question) as answer:
                if answer.status in absent:
                    raise MirrorNotFound("has no such list", status=answer.status)
                body = await self._body(answer)
                link = ", ".join(answer.response.headers.getall("Link", ()))
            yield body
            try:
                url = next_page(link, url)
            except ValueError as error:
                raise MirrorLied(str(error), status=200) from error
            if url is None:
                return
        raise MirrorFailed(f"a list on more than {_MOST_PAGES} pages")

    async def _probe_blob(self, repository: RepositoryName, digest: Digest) -> int | None:
        question = self._blob_question("GET", repository, digest, {"Range": "bytes=0-0"})
        async with self._asker.asking(question) as answer:
            if answer.status not in {200, 206, 416}:
                raise await self._asker.refusal(answer)
            headers = answer.response.headers
            if bare(headers.get("Content-Type")) == "text/html":
                raise BlockPage(BLOCK_PAGE, status=answer.status)
            if answer.status == 206:
                told = parse_content_range(headers.get("Content-Range"))
                return None if told is None else told.size
            if answer.status == 416:
                return parse_unsatisfied(headers.get("Content-Range"))
            return parse_length(headers.get("Content-Length"))

    async def _body(self, answer: Answer) -> bytes:
        if answer.status != 200:
            raise await self._asker.refusal(answer)
        body = await self._read(answer)
        try:
            coding = answer.response.headers.get("Content-Encoding")
            return decode(body, coding, LARGEST_MANIFEST_BYTES)
        except ValueError as error:
            raise MirrorLied(str(error), status=200) from error

    async def _read(self, answer: Answer) -> bytes:
        return await read_body(answer.response, limit=LARGEST_MANIFEST_BYTES, stall_s=self._stall_s)

    def _manifest_question(
        self, method: str, repository: RepositoryName, reference: Reference
    ) -> Question:
        name = self._named(repository)
        kind = Kind.MANIFEST
        if isinstance(reference, Tag):
            kind = Kind.TAG
            reference = self._naming.tag(repository, reference)
        url = URL(f"{self._base}{name}/manifests/{reference}", encoded=True)
        return Question(method, url, _scope(name), {"Accept": ACCEPT}, kind)

    def _blob_question(
        self, method: str, repository: RepositoryName, digest: Digest, headers: dict[str, str]
    ) -> Question:
        name = self._named(repository)
        url = URL(f"{self._base}{name}/blobs/{digest}", encoded=True)
        return Question(method, url, _scope(name), headers, Kind.BLOB)

    def _named(self, repository: RepositoryName) -> RepositoryName:
        name = self._naming.repository(self.registry, repository)
        if name is None:
            raise MirrorNotFound("does not carry this repository")
        return name


def _scope(name: RepositoryName) -> str:
    return f"repository:{name}:pull"
