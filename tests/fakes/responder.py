"""What a fake registry answers, before any fault on the wire: credentials, redirects, content."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from fakes.answer import Answer, oci_error, redirect
from fakes.cdn import SignedUrls
from fakes.content import Content
from fakes.fault import Fault, FaultKind
from fakes.pull_api import Manners, Route, pull, route
from fakes.quota import Quota
from fakes.recorded import Recorded
from fakes.tokens import TokenService, basic_pair


@dataclass(frozen=True, slots=True)
class Origin:
    """Where signed URLs point: the server's URL and the signatures it honours."""

    url: str
    signed: SignedUrls


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """The registry that really serves, for one that only redirects (U-7)."""

    url: str
    prefix: str


@dataclass(frozen=True, slots=True)
class Responder:
    """`realm` None: no bearer tokens wanted here. `signed` answers for what this server signed."""

    url: str
    content: Content
    signed: SignedUrls
    tokens: TokenService
    manners: Manners
    realm: str | None = None
    basic_auth: tuple[str, str] | None = None
    quota: Quota | None = None
    blobs_at: Origin | None = None
    everything_at: Elsewhere | None = None

    def answer(self, record: Recorded, fault: Fault | None) -> Answer:
        """The answer to a GET, or what a HEAD takes its headers from."""
        kind = fault.kind if fault else None
        if fault is not None and kind == "status":
            return Answer(fault.status, fault.body, fault.headers)
        if kind == "redirect_loop":
            return redirect(self.url + record.target)
        if kind == "expire_tokens":
            self.tokens.expire_all()
        if record.path.startswith("/containers/images/"):
            return self.signed.answer(
                record.method,
                record.target,
                authorization=record.headers.getall("Authorization", []),
                range_header=_range(record, kind),
            )
        if record.method not in {"GET", "HEAD"}:
            return oci_error(405, "UNSUPPORTED", "this registry is read-only")
        authorization = record.headers.get("Authorization")
        if record.path == "/token":
            now = asyncio.get_running_loop().time()
            return self.tokens.issue(record.query, authorization, now)
        wanted = route(record.path)
        return self._refusal(authorization, wanted) or self._admitted(record, wanted, kind)

    def _refusal(self, authorization: str | None, wanted: Route | None) -> Answer | None:
        if self.basic_auth is not None and basic_pair(authorization) != self.basic_auth:
            challenge = {"WWW-Authenticate": 'Basic realm="fake registry"'}
            return oci_error(401, "UNAUTHORIZED", "authentication required", challenge)
        if self.realm is None:
            return None
        scope = f"repository:{wanted.name}:pull" if wanted else None
        now = asyncio.get_running_loop().time()
        return self.tokens.refusal(authorization, realm=self.realm, scope=scope, now=now)

    def _admitted(self, record: Recorded, wanted: Route | None, kind: FaultKind | None) -> Answer:
        if record.path == "/v2/":
            return Answer(200, b"{}", {"Content-Type": "application/json; charset=utf-8"})
        if wanted is None:
            return Answer(404, b"404 page not found\n", {"Content-Type": "text/plain"})
        if self.everything_at is not None:
            path = record.path.replace("/v2/", f"/v2/{self.everything_at.prefix}/", 1)
            return redirect(self.everything_at.url + path)
        over = self.quota.charge(record.method, wanted) if self.quota else None
        answer = over or pull(
            self.content,
            wanted,
            query=record.query,
            accept=record.headers.getall("Accept", []),
            range_header=_range(record, kind),
            manners=self.manners,
        )
        if self.blobs_at is not None and wanted.kind == "blobs" and answer.status in {200, 206}:
            data = self.content.repositories[wanted.name].blobs[wanted.reference]
            expired = kind == "expired_url"
            target = self.blobs_at.signed.sign(wanted.reference, data, expired=expired)
            answer = redirect(self.blobs_at.url + target)
        return answer.having(**self.quota.headers()) if self.quota else answer


def _range(record: Recorded, kind: FaultKind | None) -> str | None:
    return None if kind == "ignore_range" else record.headers.get("Range")
