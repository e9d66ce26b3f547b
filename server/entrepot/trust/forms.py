"""The ways in which known programs write the JSON of a manifest: a bounded number of them.

What differs between programs is the layout (Docker indents by three spaces, BuildKit by two, ko
and crane not at all), whether `<`, `>` and `&` are escaped as Go's encoding/json does, a line end
at the end, the order of keys (that of a program's own structs), and members that a program adds.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from entrepot.trust.trees import ORDERS, WITHOUTS, Order, Tree, Without, ordered, reduced

_INDENT = "\0"  # never inside JSON text, where it is escaped
_ESCAPES = {c: f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"}


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
            changed = ordered(reduced(tree, without), order)
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
