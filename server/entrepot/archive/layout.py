"""OCI layouts, as containerd, skopeo, buildah, BuildKit and docker since 25 write them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from entrepot.archive.carried import Carried, blob_member, carry, read_blob
from entrepot.archive.contents import Contents
from entrepot.errors import ArchiveInvalid
from entrepot.oci.descriptor import Descriptor
from entrepot.oci.digest import Digest
from entrepot.oci.manifest import Manifest, descriptors, read_manifest
from entrepot.oci.mediatype import OCI_INDEX, is_manifest

INDEX = "index.json"
SAVED = "manifest.json"
CONTAINERD_NAME = "io.containerd.image.name"
OCI_NAME = "org.opencontainers.image.ref.name"


def read_layout(contents: Contents) -> tuple[Carried, ...]:
    """Tell the images of a layout, in the order of its index; ArchiveInvalid."""
    body = contents.read(INDEX)
    try:
        index = read_manifest(body, OCI_INDEX)
    except ValueError as error:
        raise ArchiveInvalid(f"{INDEX}: {error}") from error
    listed = [each for each in descriptors(index) if is_manifest(each.media_type)]
    if not listed:
        raise ArchiveInvalid(f"{INDEX} lists no image")
    if _is_image(listed):
        return (_index_itself(contents, index),)
    names: dict[Digest, list[str]] = {}
    for each in listed:
        names.setdefault(each.digest, []).extend(_names(each))
    saved = _saved_names(contents)
    roots = {each.digest: each for each in listed}.values()
    return tuple(
        carry(contents, root, names[root.digest] or _by_config(contents, root, saved))
        for root in roots
    )


def repo_tags(entry: object) -> tuple[str, ...]:
    """Read the names of an entry of docker's manifest.json."""
    tags = entry.get("RepoTags") if isinstance(entry, dict) else None
    return tuple(tag for tag in tags if isinstance(tag, str)) if isinstance(tags, list) else ()


def _names(root: Descriptor) -> Iterator[str]:
    """Name an image as a whole name: a tag alone, which the specification allows, is none."""
    whole = root.annotations.get(CONTAINERD_NAME, "")
    told = whole or root.annotations.get(OCI_NAME, "")
    if ("/" in told or (whole and ":" in told)) and not told.startswith("sha256:"):
        yield told


def _is_image(listed: list[Descriptor]) -> bool:
    """Whether index.json is the image itself: its platforms, and no name for any of them."""
    nameless = not any(each.annotations.keys() & {CONTAINERD_NAME, OCI_NAME} for each in listed)
    return len(listed) > 1 and nameless and all(each.platform for each in listed)


def _index_itself(contents: Contents, index: Manifest) -> Carried:
    trees = []
    lacking = []
    for child in descriptors(index):
        try:
            trees.append(carry(contents, child, ()))
        except ArchiveInvalid as error:
            if read_blob(contents, child) is not None:
                raise
            lacking.append(error)
    if not trees:
        raise lacking[0]
    return Carried(
        names=(),
        root=index,
        manifests=(*(each for tree in trees for each in tree.manifests), index),
        parts=tuple({part.digest: part for tree in trees for part in tree.parts}.values()),
    )


def _saved_names(contents: Contents) -> Mapping[str, tuple[str, ...]]:
    """Tell the names that manifest.json, should it be there, has for configs."""
    if SAVED not in contents:
        return {}
    try:
        entries: object = json.loads(contents.read(SAVED))
    except ValueError as error:
        raise ArchiveInvalid(f"{SAVED} is no JSON: {error}") from error
    if not isinstance(entries, list):
        return {}
    dicts = (entry for entry in entries if isinstance(entry, dict))
    return {str(entry.get("Config")): repo_tags(entry) for entry in dicts}


def _by_config(
    contents: Contents, root: Descriptor, saved: Mapping[str, tuple[str, ...]]
) -> tuple[str, ...]:
    manifest = read_blob(contents, root) if saved else None
    for each in descriptors(manifest) if manifest is not None else ():
        if names := saved.get(blob_member(each.digest)):
            return names
    return ()
