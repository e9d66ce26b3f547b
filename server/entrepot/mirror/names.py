"""What a request line asks for: the six shapes in which clients write it (rules S-1 to S-9).

Pure and without waiting; a registry name from outside is only ever a key into `NameTable`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

from entrepot.errors import NameInvalid, NameUnknown
from entrepot.oci.digest import Digest
from entrepot.oci.reference import Reference, RepositoryName, parse_reference

_DOCKER = "docker.io"
_DOCKER_HOSTS = ("registry-1.docker.io", "index.docker.io")
_OBJECTS = frozenset({"manifests", "blobs", "referrers"})
_CACHED_TARGETS = 2048


class NameTable:
    """The closed world of registries (S-6, P26): immutable, hashed by identity.

    `registries` maps each registry to its aliases, `hosts` the Host headers that stand for one
    (no port) to a registry or alias. ValueError when a host stands for none of them.
    """

    def __init__(
        self, registries: Mapping[str, Iterable[str]], hosts: Mapping[str, str] | None = None
    ) -> None:
        names = {registry.lower(): registry.lower() for registry in registries}
        if _DOCKER in names:
            names = dict.fromkeys(_DOCKER_HOSTS, _DOCKER) | names
        for registry, aliases in registries.items():
            names |= {alias.lower(): registry.lower() for alias in aliases}
        self._names = names
        self._hosts = {host.lower(): registry.lower() for host, registry in (hosts or {}).items()}
        if strangers := set(self._hosts.values()) - set(names):
            raise ValueError(f"hosts stand for unknown registries: {', '.join(sorted(strangers))}")
        self.registries = tuple(sorted(registry.lower() for registry in registries))
        self.served = ", ".join(_told(registry, names) for registry in sorted(registries))

    def canonical(self, host: str) -> str | None:
        """Name the registry that `host` is or is an alias of, whatever its case; else None."""
        return self._names.get(host.lower())

    def behind(self, header: str) -> str | None:
        """Name what a Host header stands for, as configured; the header's port is not looked at."""
        name = header.lower()
        if not name.endswith("]"):
            name = name.rpartition(":")[0] or name
        return self._hosts.get(name)


@dataclass(frozen=True, slots=True)
class ImageName:
    """A repository, both as we know it and as the client wrote it.

    `path_prefix + client_repository` is the path as it came, up to `/manifests/…`; relative
    links made of the two bring the client back the same way (M-3). `namespace` is the registry
    in the client's words, lower case; it was the query's ns when `via_ns`.
    """

    registry: str
    namespace: str
    repository: RepositoryName
    client_repository: str
    via_ns: bool
    path_prefix: str


@dataclass(frozen=True, slots=True)
class Ping:
    """`/v2/`: is this a registry? (S-8)."""


@dataclass(frozen=True, slots=True)
class CatalogTarget:
    """`_catalog`, which we do not tell (M-4)."""


@dataclass(frozen=True, slots=True)
class ManifestTarget:
    """A manifest or index by tag or digest."""

    image: ImageName
    reference: Reference


@dataclass(frozen=True, slots=True)
class BlobTarget:
    """A blob."""

    image: ImageName
    digest: Digest


@dataclass(frozen=True, slots=True)
class TagsTarget:
    """The tags of a repository."""

    image: ImageName


@dataclass(frozen=True, slots=True)
class ReferrersTarget:
    """The manifests whose subject is `digest`."""

    image: ImageName
    digest: Digest


@dataclass(frozen=True, slots=True)
class UploadTarget:
    """`blobs/uploads/…`: the way in, which is closed (N-4)."""

    image: ImageName


Target: TypeAlias = (
    Ping | CatalogTarget | ManifestTarget | BlobTarget | TagsTarget | ReferrersTarget | UploadTarget
)


@lru_cache(maxsize=_CACHED_TARGETS)
def parse_target(
    raw_path: str,
    ns: str | None,
    host: str | None,
    default_registry: str | None,
    table: NameTable,
) -> Target:
    """Read what a request asks for, whatever its method; RequestError when it cannot be.

    `raw_path` is the path as sent, percent-encoded and without the query; `ns` the decoded query
    parameter. ns decides over a registry in the path, that over the Host header, and that over
    the listener's default (S-4); an unknown one never falls through to the next (S-6).
    """
    asked = None if ns is None else _known(ns, table)
    parts = raw_path.split("/")
    way = _way(parts, asked, table)
    rest = parts[way.start :]
    if way.versioned and rest in ([], [""]):
        return Ping()
    if rest == ["_catalog"]:
        return CatalogTarget()
    end, what = _object(parts, way.start)
    namespace = ns if ns is not None else way.prefix
    if namespace is None:
        namespace = _unnamed(parts[way.start : end], host, default_registry, table)
    image = _image(parts, end, way, namespace, _known(namespace, table))
    if what == "tags":
        return TagsTarget(image)
    if what == "uploads":
        return UploadTarget(image)
    # The one place where clients may encode: the colon of a digest (S-9).
    reference = parts[-1].replace("%3A", ":").replace("%3a", ":")
    if what == "manifests":
        return ManifestTarget(image, parse_reference(reference))
    digest = Digest.parse(reference)
    return BlobTarget(image, digest) if what == "blobs" else ReferrersTarget(image, digest)


@dataclass(frozen=True, slots=True)
class _Way:
    """How far the path's front reaches: /v2, a registry, or both in either order, or neither."""

    start: int
    client_start: int
    prefix: str | None
    versioned: bool
    asked: bool


def _way(parts: list[str], asked: str | None, table: NameTable) -> _Way:
    if len(parts) < 2 or parts[0]:
        raise NameInvalid("a request path begins with /v2/")
    versioned = parts[1] == "v2"
    start = 2 if versioned else 1
    prefix = parts[start] if start < len(parts) else ""
    known = table.canonical(prefix)
    if known is None or asked not in (None, known):
        return _Way(start, start, None, versioned, asked is not None)
    # Somebody who pulls MIRROR/k8s.gcr.io/pause thinks of both parts as the repository.
    client_start = start if versioned and asked is None else start + 1
    start += 1
    # S4 and S5. With three parts left it is v2/manifests/TAG, a repository called v2.
    if parts[start : start + 1] == ["v2"] and len(parts) - start != 3:
        start = client_start = start + 1
        versioned = True
    return _Way(start, client_start, prefix, versioned, asked is not None)


def _object(parts: list[str], start: int) -> tuple[int, str]:
    """Find where the repository ends, from the back: its parts may be called manifests (S-9)."""
    *_, before, kind, last = ["", "", *parts[start:]] if len(parts) > start else [""] * 3
    if (kind, last) == ("tags", "list"):
        end, what = len(parts) - 2, "tags"
    elif (kind, last) == ("blobs", "uploads"):
        end, what = len(parts) - 2, "uploads"
    elif kind in _OBJECTS:
        end, what = len(parts) - 2, kind
    elif (before, kind) == ("blobs", "uploads"):
        end, what = len(parts) - 3, "uploads"
    else:
        raise NameUnknown(
            "no such page: a registry has /v2/NAME/manifests/REFERENCE, /v2/NAME/blobs/DIGEST,"
            " /v2/NAME/referrers/DIGEST and /v2/NAME/tags/list"
        )
    if end == start:
        raise NameInvalid("the repository name is missing")
    return end, what


def _image(parts: list[str], end: int, way: _Way, namespace: str, registry: str) -> ImageName:
    return ImageName(
        registry=registry,
        namespace=namespace.lower(),
        repository=_repository(registry, parts[way.start : end]),
        client_repository="/".join(parts[way.client_start : end]),
        via_ns=way.asked,
        path_prefix="/".join(parts[: way.client_start]) + "/",
    )


def _unnamed(
    names: list[str], host: str | None, default_registry: str | None, table: NameTable
) -> str:
    """Choose the registry of a request that names none; never by guessing (S-5)."""
    if len(names) > 1 and ("." in names[0] or ":" in names[0]):
        raise _stranger(names[0], table)
    namespace = (table.behind(host) if host else None) or default_registry
    if namespace is None:
        raise NameUnknown(
            f"the request does not say which registry {_quoted('/'.join(names))} belongs to."
            " Put the registry in front, as in THIS-MIRROR/registry.k8s.io/pause, or use"
            " containerd's hosts.toml, which tells it as ns=, or give this listener a default"
            f" registry in entrepot.yaml. Served here: {table.served}"
        )
    return namespace


def _known(name: str, table: NameTable) -> str:
    registry = table.canonical(name)
    if registry is None:
        raise _stranger(name, table)
    return registry


def _stranger(name: str, table: NameTable) -> NameUnknown:
    return NameUnknown(
        f"the registry {_quoted(name)} is not served here. Served: {table.served}."
        " Add it under 'registries' in entrepot.yaml, or as an alias of one that is there"
    )


def _repository(registry: str, names: list[str]) -> RepositoryName:
    if registry == _DOCKER and len(names) == 1:
        return RepositoryName.parse(f"library/{names[0]}")  # S-7
    return RepositoryName.parse("/".join(names))


def _quoted(text: str) -> str:
    return repr(text if len(text) <= 80 else f"{text[:80]}…")


def _told(registry: str, names: Mapping[str, str]) -> str:
    aliases = sorted(
        alias
        for alias, canonical in names.items()
        if canonical == registry.lower() != alias and alias not in _DOCKER_HOSTS
    )
    return f"{registry} (also as {', '.join(aliases)})" if aliases else registry
