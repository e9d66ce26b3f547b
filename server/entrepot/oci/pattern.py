"""Which images are meant: `docker.io/library/*`, `k8s.gcr.io/kube-*:v1.30.*`, `…@sha256:…`."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from entrepot.oci.digest import Digest

_REGISTRY = re.compile(r"(?:[a-zA-Z0-9-]+\.)+[a-zA-Z0-9-]+(?::\d+)?|[a-zA-Z0-9-]+:\d+|localhost")
_REPOSITORY = re.compile(r"[a-z0-9._/*?-]+")
_TAG = re.compile(r"[a-zA-Z0-9._*?-]+")


@dataclass(frozen=True, slots=True)
class ImagePattern:
    """A registry, and what its repositories and tags look like; `*` is anything, also a `/`.

    Without a tag every tag is meant, and what was pulled by digest too. `digest` means that one
    image, or that part of one.
    """

    registry: str
    repository: str
    tag: str | None = None
    digest: Digest | None = None

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag is not None else ""
        digest = f"@{self.digest}" if self.digest is not None else ""
        return f"{self.registry}/{self.repository}{tag}{digest}"

    @classmethod
    def parse(cls, text: str) -> ImagePattern:
        """Read registry/repository[:tag][@digest]; ValueError or DigestInvalid."""
        name, at, digest = text.partition("@")
        registry, _, path = name.partition("/")
        repository, colon, tag = path.partition(":")
        if not _REGISTRY.fullmatch(registry):
            raise ValueError("does not begin with a registry: write docker.io/library/nginx:1.27")
        if not _REPOSITORY.fullmatch(repository) or (colon and not _TAG.fullmatch(tag)):
            raise ValueError(
                "not a pattern of images: write registry.k8s.io/pause:3.9, docker.io/library/*"
                " or quay.io/name@sha256:…"
            )
        return cls(
            registry=registry.lower(),
            repository=repository,
            tag=tag if colon else None,
            digest=Digest.parse(digest) if at else None,
        )

    def under(self, registry: str) -> ImagePattern:
        """Mean the same in a registry of another name."""
        return replace(self, registry=registry)

    def matches(self, registry: str, repository: str, tag: str | None) -> bool:
        """Whether an image by that name is meant; `tag` None for one known by its digest alone.

        A pattern with a digest matches no name.
        """
        if self.digest is not None or registry != self.registry:
            return False
        if not _looks(self.repository, repository):
            return False
        return self.tag is None or (tag is not None and _looks(self.tag, tag))


def _looks(pattern: str, name: str) -> bool:
    wild = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(wild, name) is not None
