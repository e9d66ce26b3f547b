"""What a fake registry holds: repositories with their tags, manifests and blobs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from entrepot.oci.digest import Digest
from fakes.images import Image, Index, SignedManifest, sha256


@dataclass(frozen=True, slots=True)
class StoredManifest:
    """The exact bytes pushed, under the type they were pushed with."""

    digest: str
    media_type: str
    body: bytes

    def parsed(self) -> Mapping[str, object]:
        """The JSON object; an empty one when the body is something else."""
        try:
            value = json.loads(self.body)
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}


@dataclass(slots=True)
class Repository:
    """One name's content. A blob is visible only in the repositories it was put into."""

    blobs: dict[str, bytes] = field(default_factory=dict)
    manifests: dict[str, StoredManifest] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    def find(self, reference: str) -> StoredManifest | None:
        """The manifest a tag or a digest names."""
        return self.manifests.get(self.tags.get(reference, reference))


class Content:
    """Every repository of one registry."""

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}

    def repository(self, name: str) -> Repository:
        """The repository, made when it is not there."""
        return self.repositories.setdefault(name, Repository())

    def put_blob(self, name: str, data: bytes) -> Digest:
        digest = sha256(data)
        self.repository(name).blobs[str(digest)] = data
        return digest

    def put_manifest(
        self, name: str, tag: str | None, body: bytes, media_type: str, digest: Digest | None = None
    ) -> Digest:
        """Store `body`; `digest` is only said for schema 1, where it is not the body's."""
        digest = digest or sha256(body)
        held = self.repository(name)
        held.manifests[str(digest)] = StoredManifest(str(digest), media_type, body)
        if tag is not None:
            held.tags[tag] = str(digest)
        return digest

    def put_image(
        self, name: str, tag: str | None, pushed: Image | Index | SignedManifest
    ) -> Digest:
        """Everything a push of this image would bring: blobs, children, manifest, tag."""
        if isinstance(pushed, Index):
            for child in pushed.images:
                self.put_image(name, None, child)
        elif isinstance(pushed, Image):
            for data in pushed.blobs:
                self.put_blob(name, data)
        return self.put_manifest(name, tag, pushed.manifest, pushed.media_type, pushed.digest)
