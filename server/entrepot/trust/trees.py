"""The JSON of a manifest as a tree, and how programs change it: order of keys, members added."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn, TypeAlias

Tree: TypeAlias = dict[str, object]

MAX_BYTES = 128 << 10
MAX_VALUES = 4096
"""In one document: writing costs time for each, and a manifest of 127 layers has 600 or so."""
MAX_DEPTH = 12
"""Of nested objects and lists; a manifest has 5 or so, and indenting is as costly as it is deep."""

_PLATFORM = ("architecture", "os", "os.version", "os.features", "variant", "features")


@dataclass(frozen=True, slots=True)
class Order:
    """The order of keys that a program writes; keys not named here follow as they came."""

    name: str
    top: tuple[str, ...] = ()
    descriptor: tuple[str, ...] = ()


RECEIVED = Order("keys as received")
ALPHABETIC = Order("keys by the alphabet")
# distribution's manifestlist and schema2; image-spec's specs-go/v1; go-containerregistry's pkg/v1.
DOCKER = Order(
    "Docker's keys",
    ("schemaVersion", "mediaType", "config", "layers", "manifests"),
    ("mediaType", "size", "digest", "urls", "annotations", "platform"),
)
OCI = Order(
    "OCI's keys",
    (
        "schemaVersion",
        "mediaType",
        "artifactType",
        "config",
        "layers",
        "manifests",
        "subject",
        "annotations",
    ),
    ("mediaType", "digest", "size", "urls", "annotations", "data", "platform", "artifactType"),
)
CRANE = Order(
    "crane's keys",
    ("schemaVersion", "mediaType", "config", "layers", "manifests", "annotations", "subject"),
    ("mediaType", "size", "digest", "data", "urls", "annotations", "platform", "artifactType"),
)
ORDERS = (RECEIVED, DOCKER, OCI, CRANE, ALPHABETIC)


@dataclass(frozen=True, slots=True)
class Without:
    """Members to be taken out, as some program may have put them in."""

    name: str
    drops: Callable[[str, object, Tree], bool]
    """Called with a key, its value and the object that they stand in."""


def _variant(key: str, _value: object, inside: Tree) -> bool:
    return key == "variant" and "architecture" in inside


def _variant_of_arm64(key: str, value: object, inside: Tree) -> bool:
    return _variant(key, value, inside) and inside["architecture"] == "arm64"


def _empty(_key: str, value: object, _inside: Tree) -> bool:
    return value is None or value in ("", [], {})


def _outer_type(key: str, _value: object, inside: Tree) -> bool:
    return key == "mediaType" and "schemaVersion" in inside


NOTHING = Without("", lambda _key, _value, _inside: False)
WITHOUT_VARIANTS = (
    NOTHING,
    Without("without the variant of arm64", _variant_of_arm64),
    Without("without variants", _variant),
)
WITHOUTS = (
    *WITHOUT_VARIANTS,
    Without("without empty members", _empty),
    Without("without empty members and variants", lambda *a: _empty(*a) or _variant(*a)),
    Without("without its own type", _outer_type),
    Without("without its own type and variants", lambda *a: _outer_type(*a) or _variant(*a)),
)


def read_tree(body: bytes) -> Tree:
    """Parse a manifest with the order of its keys; ValueError where it could not be re-written.

    That is: too long, too many values, too deep, a key given twice, a number that is not whole, or
    no object.
    """
    if len(body) > MAX_BYTES:
        raise ValueError(f"more than {MAX_BYTES} bytes")
    try:
        tree: object = json.loads(
            body.decode(), object_pairs_hook=_object, parse_float=_refuse, parse_constant=_refuse
        )
    except RecursionError as error:
        raise ValueError("too deep") from error
    if not isinstance(tree, dict):
        raise ValueError("no object")  # noqa: TRY004 - the caller knows one error only
    if _count(tree, MAX_DEPTH) > MAX_VALUES:
        raise ValueError(f"more than {MAX_VALUES} values")
    return tree


def reduced(tree: Tree, without: Without) -> Tree:
    """Take out the members that some program may have put in."""
    if without is NOTHING:
        return tree
    return {
        key: _reduced_value(value, without)
        for key, value in tree.items()
        if not without.drops(key, value, tree)
    }


def ordered(tree: Tree, order: Order) -> Tree:
    """Put the keys into the order in which a program writes them; annotations are sorted."""
    if order is RECEIVED:
        return tree
    return {key: _ordered_value(key, tree[key], order) for key in _keys(tree, order, order.top)}


def _object(pairs: list[tuple[str, object]]) -> Tree:
    tree = dict(pairs)
    if len(tree) < len(pairs):
        raise ValueError("a key given twice")
    return tree


def _refuse(text: str) -> NoReturn:
    raise ValueError(f"not a whole number: {text}")


def _count(value: object, left: int) -> int:
    """Count the values inside, itself included; ValueError where they stand too deep."""
    if not isinstance(value, dict | list):
        return 1
    if not left:
        raise ValueError("too deep")
    inner = value.values() if isinstance(value, dict) else value
    return 1 + sum(_count(item, left - 1) for item in inner)


def _reduced_value(value: object, without: Without) -> object:
    if isinstance(value, dict):
        return reduced(value, without)
    if isinstance(value, list):
        return [_reduced_value(item, without) for item in value]
    return value


def _ordered_value(key: str, value: object, order: Order) -> object:
    if isinstance(value, list):
        return [_ordered_value(key, item, order) for item in value]
    if not isinstance(value, dict):
        return value
    named = {"platform": _PLATFORM, "annotations": ()}.get(key, order.descriptor)
    # Maps are sorted by every encoder of Go, structs are not.
    keys = sorted(value) if key == "annotations" else _keys(value, order, named)
    return {inner: _ordered_value(inner, value[inner], order) for inner in keys}


def _keys(tree: Tree, order: Order, named: tuple[str, ...]) -> list[str]:
    if order is ALPHABETIC:
        return sorted(tree)
    return [*(key for key in named if key in tree), *(key for key in tree if key not in named)]
