"""The pull half of the distribution API over `Content`: plain functions, no I/O.

It is as strict as the strictest registry we know: only the first `Accept` line counts and `*/*`
accepts nothing in particular (contract U-1 and §11), so a client with a narrow `Accept` gets a 404
for OCI types and an amd64 manifest for a docker list.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qs, quote, unquote

from fakes.answer import Answer, oci_error
from fakes.content import Content, Repository, StoredManifest
from fakes.images import DOCKER_LIST, OCI_INDEX, OCI_MANIFEST

_ROUTE = re.compile(
    r"/v2/(?P<name>.+)/(?P<kind>manifests|blobs|referrers|tags)/(?P<reference>[^/]+)"
)
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_OCI_WORDS = {OCI_MANIFEST: ("manifest", "manifests"), OCI_INDEX: ("index", "indexes")}


@dataclass(frozen=True, slots=True)
class Route:
    """One request's target, taken apart at the last `/manifests/`, `/blobs/` …"""

    name: str
    kind: str
    reference: str


@dataclass(frozen=True, slots=True)
class Manners:
    """How this registry differs from a plain one."""

    negotiates: bool = True
    referrers: bool = True
    digest_header: bool = True
    referrers_per_page: int | None = None


def route(path: str) -> Route | None:
    """None for anything that is not a pull of something; `%3A` in the reference is decoded."""
    found = _ROUTE.fullmatch(path)
    if found is None or (found["kind"] == "tags" and found["reference"] != "list"):
        return None
    return Route(found["name"], found["kind"], unquote(found["reference"]))


def pull(
    content: Content,
    wanted: Route,
    *,
    query: str,
    accept: Sequence[str],
    range_header: str | None,
    manners: Manners,
) -> Answer:
    """The answer to a GET; a HEAD is the same without the body."""
    held = content.repositories.get(wanted.name)
    parameters = {key: values[0] for key, values in parse_qs(query, True).items()}
    if held is None:
        return oci_error(404, "NAME_UNKNOWN", "repository name not known to registry")
    if wanted.kind == "tags":
        return _tags(wanted.name, held, parameters)
    if wanted.kind == "referrers":
        if not manners.referrers:
            return Answer(404, b"404 page not found\n", {"Content-Type": "text/plain"})
        return _referrers(wanted, held, parameters, manners.referrers_per_page)
    if wanted.kind == "blobs":
        return _blob(held, wanted.reference, range_header, manners)
    return _manifest(held, wanted.reference, accept, manners)


def _manifest(held: Repository, reference: str, accept: Sequence[str], manners: Manners) -> Answer:
    stored = held.find(reference)
    if stored is None:
        return oci_error(404, "MANIFEST_UNKNOWN", "manifest unknown")
    if manners.negotiates:
        first = accept[0] if accept else ""
        accepted = {part.split(";")[0].strip() for part in first.split(",")}
        if stored.media_type in _OCI_WORDS and stored.media_type not in accepted:
            one, many = _OCI_WORDS[stored.media_type]
            return oci_error(
                404,
                "MANIFEST_UNKNOWN",
                f"OCI {one} found, but accept header does not support OCI {many}",
            )
        by_tag = reference in held.tags
        if by_tag and stored.media_type == DOCKER_LIST and DOCKER_LIST not in accepted:
            stored = _amd64(held, stored)
            if stored is None:
                return oci_error(404, "MANIFEST_UNKNOWN", "manifest unknown")
    headers = {"Content-Type": stored.media_type, "Etag": f'"{stored.digest}"'}
    if manners.digest_header:
        headers["Docker-Content-Digest"] = stored.digest
    return Answer(200, stored.body, headers)


def _amd64(held: Repository, stored: StoredManifest) -> StoredManifest | None:
    """What distribution answers to a client that cannot read lists."""
    children = stored.parsed().get("manifests")
    for child in children if isinstance(children, list) else []:
        if child.get("platform", {}).get("architecture") == "amd64":
            return held.manifests.get(child["digest"])
    return None


def _blob(held: Repository, reference: str, range_header: str | None, manners: Manners) -> Answer:
    if not _DIGEST.fullmatch(reference):
        return oci_error(400, "DIGEST_INVALID", "provided digest did not match uploaded content")
    data = held.blobs.get(reference)
    if data is None:
        return oci_error(404, "BLOB_UNKNOWN", "blob unknown to registry")
    headers = {
        "Content-Type": "application/octet-stream",
        "Accept-Ranges": "bytes",
        "Etag": f'"{reference}"',
    }
    if manners.digest_header:
        headers["Docker-Content-Digest"] = reference
    return part(data, range_header, headers)


def part(data: bytes, range_header: str | None, headers: Mapping[str, str]) -> Answer:
    """200 with all of `data`, or the 206 or 416 that one byte range asks for (RFC 9110 §14)."""
    found = _RANGE.fullmatch(range_header) if range_header else None
    if found is None or found.groups() == ("", "") or not data:
        return Answer(200, data, headers)
    first, last = found.groups()
    size = len(data)
    start = int(first) if first else max(0, size - int(last))
    stop = min(size, int(last) + 1) if first and last else size
    if start >= size or start >= stop:
        return Answer(
            416,
            b"invalid range\n",
            {**headers, "Content-Range": f"bytes */{size}", "Content-Type": "text/plain"},
        )
    return Answer(
        206,
        memoryview(data)[start:stop],
        {**headers, "Content-Range": f"bytes {start}-{stop - 1}/{size}"},
        start,
    )


def _tags(name: str, held: Repository, parameters: Mapping[str, str]) -> Answer:
    tags = sorted(tag for tag in held.tags if tag > parameters.get("last", ""))
    headers = {"Content-Type": "application/json; charset=utf-8"}
    limit = parameters.get("n", "")
    if limit.isdigit() and int(limit) < len(tags):
        tags = tags[: int(limit)]
        if tags:
            target = f"/v2/{name}/tags/list?last={quote(tags[-1])}&n={limit}"
            headers["Link"] = f'<{target}>; rel="next"'
    return Answer(200, json.dumps({"name": name, "tags": tags}).encode() + b"\n", headers)


def _referrers(
    wanted: Route, held: Repository, parameters: Mapping[str, str], page: int | None
) -> Answer:
    subject, artifact_type = wanted.reference, parameters.get("artifactType")
    if not _DIGEST.fullmatch(subject):
        return oci_error(400, "DIGEST_INVALID", "not a digest")
    found: list[dict[str, object]] = []
    for stored in held.manifests.values():
        manifest = stored.parsed()
        about = manifest.get("subject")
        if not isinstance(about, dict) or about.get("digest") != subject:
            continue
        described: dict[str, object] = {
            "mediaType": stored.media_type,
            "size": len(stored.body),
            "digest": stored.digest,
            "artifactType": manifest.get("artifactType", ""),
        }
        if "annotations" in manifest:
            described["annotations"] = manifest["annotations"]
        found.append(described)
    headers = {"Content-Type": OCI_INDEX}
    if artifact_type is not None:
        headers["OCI-Filters-Applied"] = "artifactType"
        found = [one for one in found if one["artifactType"] == artifact_type]
    start = int(parameters.get("start", "0"))
    if page is not None and start + page < len(found):
        target = f"/v2/{wanted.name}/referrers/{subject}?start={start + page}"
        headers["Link"] = f'<{target}>; rel="next"'
        found = found[: start + page]
    found = found[start:]
    body = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": found}
    return Answer(200, json.dumps(body).encode(), headers)
