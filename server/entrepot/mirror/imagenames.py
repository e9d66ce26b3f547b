"""What people write for an image, as the catalog has it: the registry's own name, whole paths."""

from __future__ import annotations

from entrepot.errors import NameInvalid
from entrepot.mirror.names import NameTable
from entrepot.oci.digest import Digest
from entrepot.oci.reference import RepositoryName, Tag

_DOCKER = "docker.io"
_WILD = frozenset("*?[")


def image_name(text: str, names: NameTable) -> str:
    """Read the name of one image, `registry/repository:tag` or `…@digest`.

    Aliases mean their registry, `docker.io/busybox` is in library/, and what begins with no
    registry is of docker.io, as docker has it. With tag and digest the digest counts. Raises
    NameInvalid, TagInvalid or DigestInvalid.
    """
    name, at, digest = text.strip().partition("@")
    registry, path = _parted(name, names)
    repository, colon, tag = path.partition(":")
    repository = RepositoryName.parse(_in_library(registry or _DOCKER, repository))
    if at:
        return f"{registry or _DOCKER}/{repository}@{Digest.parse(digest)}"
    if not colon:
        raise NameInvalid(f"{text[:300]!r} does not say which tag: write {text[:300]}:TAG")
    return f"{registry or _DOCKER}/{repository}:{Tag.parse(tag)}"


def image_glob(text: str, names: NameTable) -> str:
    """Read a pattern of images, with * and ? and [a-z], for `Inventory.images`.

    Without tag, digest or wildcard at its end it means all there is of a repository; without a
    registry, that of every registry.
    """
    registry, path = _parted(text.strip(), names)
    if registry:
        path = _in_library(registry, path)
    whole = f"{registry or '*'}/{path}"
    last = path.rpartition("/")[2]
    if not _WILD.isdisjoint(path[-1:]) or ":" in last or "@" in path:
        return whole
    return f"{whole}[:@]*"


def search_glob(text: str, names: NameTable) -> str:
    """Find what somebody types into a search field anywhere in a name; nothing in it is special."""
    plain = text.strip()
    registry, slash, rest = plain.partition("/")
    known = names.canonical(registry) if slash else None
    found = "".join(f"[{one}]" if one in _WILD else one for one in (rest if known else plain))
    return f"{known}/*{found}*" if known else f"*{found}*"


def keep_pattern(text: str, names: NameTable) -> str:
    """Write what is to be kept with the registry's own name; what is no pattern stays as it is."""
    registry, path = _parted(text.strip(), names)
    return f"{registry}/{_in_library(registry, path)}" if registry else path


def _parted(text: str, names: NameTable) -> tuple[str, str]:
    """Part the registry, by the name that we know it by, from the rest; "" where none is named."""
    head, slash, rest = text.partition("/")
    if not slash:
        return "", text
    known = names.canonical(head)
    if known is not None:
        return known, rest
    if head == "localhost" or not {".", ":"}.isdisjoint(head) or not _WILD.isdisjoint(head):
        return head.lower(), rest
    return "", text


def _in_library(registry: str, path: str) -> str:
    plain = "/" not in path and path and path[0] not in _WILD
    return f"library/{path}" if registry == _DOCKER and plain else path
