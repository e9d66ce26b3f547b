"""Re-serialised manifests made into the bytes that their owner wrote.

Some mirrors parse a manifest and write it again: the same content, another digest. Where the
digest is known from a pin or from an index that is itself proved, the text is written in each
way that known programs write (`forms`), and what hashes to the digest *is* the owner's, whoever
brought it. Nothing else is ever returned. All this is work for a thread: milliseconds for a
usual manifest, half a second for the worst one, ten seconds for the worst index with children.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from entrepot.oci.descriptor import Descriptor
from entrepot.oci.digest import Digest
from entrepot.oci.manifest import Manifest, descriptors
from entrepot.oci.mediatype import is_index
from entrepot.trust.forms import LAYOUTS, MAX_FORMS, Form, forms
from entrepot.trust.trees import DOCKER, NOTHING, OCI, RECEIVED, WITHOUT_VARIANTS, Tree, read_tree

_USUAL_ORDERS = (RECEIVED, DOCKER, OCI)
_WAYS = len(LAYOUTS) * 2 * 2
MAX_CHILD_FORMS = len(_USUAL_ORDERS) * _WAYS
MAX_INDEX_FORMS = MAX_CHILD_FORMS * len(_USUAL_ORDERS) * len(WITHOUT_VARIANTS) * _WAYS + MAX_FORMS
"""The most texts of an index that are tried when its children were re-serialised as well: 16392,
of a usual index about 400. They are made one after the other, never held together."""

_MAX_CHILDREN = 64
_MAX_CHILDREN_BYTES = 512 << 10


@dataclass(frozen=True, slots=True)
class Repaired:
    """Bytes that hash to `digest`; `form` tells a person how they had to be written."""

    body: bytes
    digest: Digest
    form: str


@dataclass(frozen=True, slots=True)
class RepairedIndex:
    """An index, and its children by the digests that the mirror has them under."""

    index: Repaired
    children: Mapping[Digest, Repaired] = field(default_factory=dict)


def repair(
    body: bytes, expected: Collection[Digest], sizes: Collection[int] = ()
) -> Repaired | None:
    """Write `body` so that it hashes to one of `expected`; None when no known way does.

    `sizes` are the lengths that an index tells of its children; others are not even hashed.
    """
    try:
        tree = read_tree(body)
    except ValueError:
        return None
    return _first(forms(tree), expected, sizes)


def repair_child(index: Manifest, received: Manifest) -> Repaired | None:
    """Make of what a mirror gave for an index the child of that index which it was.

    `index` must be proved, by a pin or otherwise. This is what a single-architecture mirror's
    answer to a tag is: one of the owner's manifests, perhaps written anew.
    """
    child = child_named(index, received.digest)
    if child is not None:
        return Repaired(received.body, child.digest, "as received")
    if is_index(received.media_type):
        return None
    named = _children(index)
    return repair(received.body, {found.digest for found in named}, {found.size for found in named})


def child_named(index: Manifest, digest: Digest) -> Descriptor | None:
    """Find the entry of an index that names a digest."""
    return next((child for child in _children(index) if child.digest == digest), None)


def repair_index(
    body: bytes, expected: Collection[Digest], children: Mapping[Digest, bytes]
) -> RepairedIndex | None:
    """Write an index anew whose children were re-serialised too; `children` is theirs, by digest.

    Children first: they are written in one of the usual ways, all in the same one, their digests
    and sizes are put into the index, and that is repaired. Children that are left out are taken to
    be as the owner wrote them. At most MAX_INDEX_FORMS texts of the index are hashed.
    """
    try:
        tree = read_tree(body)
    except ValueError:
        return None
    tried: set[tuple[Digest, ...]] = set()
    for written in _written_alike(children):
        digests = tuple(repaired.digest for repaired in written.values())
        if digests in tried:
            continue
        tried.add(digests)
        changed = _with_children(tree, written)
        # All ways only for children as they came: there are many for those written anew already.
        all_ways = len(tried) == 1
        some = forms(changed, orders=_USUAL_ORDERS, withouts=WITHOUT_VARIANTS)
        found = _first(forms(changed) if all_ways else some, expected, ())
        if found is not None:
            return RepairedIndex(found, written)
    return None


def _children(index: Manifest) -> tuple[Descriptor, ...]:
    return descriptors(index) if is_index(index.media_type) else ()


def _first(
    written: Iterable[tuple[bytes, Form]], expected: Collection[Digest], sizes: Collection[int]
) -> Repaired | None:
    algorithms = {digest.algorithm for digest in expected}
    wanted = {(digest.algorithm, digest.hex): digest for digest in expected}
    for body, form in written:
        if sizes and len(body) not in sizes:
            continue
        for algorithm in algorithms:
            found = wanted.get((algorithm, hashlib.new(algorithm, body).hexdigest()))
            if found is not None:
                return Repaired(body, found, str(form))
    return None


def _written_alike(children: Mapping[Digest, bytes]) -> Iterator[dict[Digest, Repaired]]:
    """Give all children as they came, and then in each usual way that all can be written in."""
    yield {digest: Repaired(body, digest, "as received") for digest, body in children.items()}
    size = sum(map(len, children.values()))
    if len(children) > _MAX_CHILDREN or size > _MAX_CHILDREN_BYTES:
        return
    by_form: dict[Form, dict[Digest, Repaired]] = {}
    for digest, body in children.items():
        try:
            tree = read_tree(body)
        except ValueError:
            return
        # One order after the other: `forms` leaves out what equals something before it, but
        # another child may differ just there.
        for order in _USUAL_ORDERS:
            for written, form in forms(tree, orders=[order], withouts=[NOTHING]):
                repaired = Repaired(written, Digest.of(written), str(form))
                # Nothing to escape here, but perhaps in a sister.
                ways = (True, False) if form.escaped is None else (form.escaped,)
                for escaped in ways:
                    group = by_form.setdefault(replace(form, escaped=escaped), {})
                    group[digest] = repaired
    yield from (found for found in by_form.values() if len(found) == len(children))


def _with_children(tree: Tree, children: Mapping[Digest, Repaired]) -> Tree:
    written = {str(digest): repaired for digest, repaired in children.items()}
    entries = tree.get("manifests")
    if not isinstance(entries, list):
        return tree
    return {**tree, "manifests": [_with_child(entry, written) for entry in entries]}


def _with_child(entry: object, written: Mapping[str, Repaired]) -> object:
    if not isinstance(entry, dict):
        return entry
    repaired = written.get(str(entry.get("digest")))
    if repaired is None:
        return entry
    changes = {"digest": str(repaired.digest), "size": len(repaired.body)}
    return {key: changes.get(key, value) for key, value in entry.items()}
