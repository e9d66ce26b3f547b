"""The ways in which known programs write the JSON of a manifest: a bounded number of them.

What differs between programs is the layout (Docker indents by three spaces, BuildKit by two, ko
and crane not at all), whether `<`, `>` and `&` are escaped as Go's encoding/json does, a line end
at the end, the order of keys (that of a program's own structs), and members that a program adds.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NoReturn, TypeAlias

Tree: TypeAlias = dict[str, object]

MAX_BYTES = 128 << 10
MAX_VALUES = 4096
"""In one document: writing costs time for each, and a manifest of 127 layers has 600 or so."""
MAX_DEPTH = 12
"""Of nested objects and lists; a manifest has 5 or so, and indenting is as costly as it is deep."""

_INDENT = "\0"  # never inside JSON text, where it is escaped
_ESCAPES = {c: f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"}
_PLATFORM = ("architecture", "os", "os.version", "os.features", "variant", "features")


@dataclass(frozen=True, slots=True)
class Layout:
    """White space. `indent` None puts everything on one line, with `comma` and `colon` in it."""

    name: str
    indent: str | None
    comma: str = ","
    colon: str = ": "


# The likeliest first.
LAYOUTS = (
    Layout("3 spaces", "   "),
    Layout("compact", None, colon=":"),
    Layout("2 spaces", "  "),
    Layout("tabs", "\t"),
    Layout("4 spaces", "    "),
    Layout("one line with spaces", None, ", ", ": "),
)


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


@dataclass(frozen=True, slots=True)
class Form:
    """One way to write. `escaped` is None for a text in which nothing needs an escape."""

    layout: Layout
    order: Order
    without: Without
    escaped: bool | None
    line_end: bool

    def __str__(self) -> str:
        escapes = {None: "", True: "escaped as Go does", False: "not escaped"}[self.escaped]
        end = "line end" if self.line_end else ""
        parts = [self.layout.name, self.order.name, self.without.name, escapes, end]
        return ", ".join(filter(None, parts))


MAX_FORMS = len(WITHOUTS) * len(ORDERS) * len(LAYOUTS) * 2 * 2
"""The most texts that `forms` makes of one document: 840; mostly far fewer, as most are equal."""


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


def forms(
    tree: Tree,
    *,
    orders: Sequence[Order] = ORDERS,
    withouts: Sequence[Without] = WITHOUTS,
) -> Iterator[tuple[bytes, Form]]:
    """Write a document in every known way, likeliest first, each text once.

    Each text costs time linear in its length; there are at most MAX_FORMS.
    """
    seen: set[str] = set()
    for without in withouts:
        for order in orders:
            changed = _ordered(_reduced(tree, without), order)
            compact = json.dumps(changed, ensure_ascii=False, separators=(",", ":"))
            if compact in seen:
                continue
            seen.add(compact)
            for text, form in _layouts(changed, compact, order, without):
                try:
                    body = text.encode()
                except UnicodeEncodeError:  # half of a surrogate pair, which no manifest has
                    return
                yield body, form
                yield body + b"\n", replace(form, line_end=True)


def _layouts(
    tree: Tree, compact: str, order: Order, without: Without
) -> Iterator[tuple[str, Form]]:
    indented = json.dumps(tree, ensure_ascii=False, indent=_INDENT)
    escapes = any(character in compact for character in _ESCAPES)
    for layout in LAYOUTS:
        if layout.indent is not None:
            text = indented.replace(_INDENT, layout.indent)
        elif layout.comma == ",":
            text = compact
        else:
            text = json.dumps(tree, ensure_ascii=False)
        if escapes:
            yield _escaped(text), Form(layout, order, without, escaped=True, line_end=False)
        escaped = False if escapes else None
        yield text, Form(layout, order, without, escaped, line_end=False)


def _escaped(text: str) -> str:
    """Escape as Go's encoding/json does; these characters stand nowhere but inside strings."""
    for character, escape in _ESCAPES.items():
        text = text.replace(character, escape)
    return text


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


def _reduced(tree: Tree, without: Without) -> Tree:
    if without is NOTHING:
        return tree
    return {
        key: _reduced_value(value, without)
        for key, value in tree.items()
        if not without.drops(key, value, tree)
    }


def _reduced_value(value: object, without: Without) -> object:
    if isinstance(value, dict):
        return _reduced(value, without)
    if isinstance(value, list):
        return [_reduced_value(item, without) for item in value]
    return value


def _ordered(tree: Tree, order: Order) -> Tree:
    if order is RECEIVED:
        return tree
    return {key: _ordered_value(key, tree[key], order) for key in _keys(tree, order, order.top)}


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
