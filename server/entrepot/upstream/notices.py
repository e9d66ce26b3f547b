"""What mirrors want people to read: `Warning: 299` beside a manifest (N-5)."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterable

from entrepot.oci.reference import Reference, RepositoryName

_WARNING = re.compile(r'\b299 +[^\s",]+ +"((?:[^"\\]|\\.)*)"')
_ESCAPED = re.compile(r"\\(.)")
_MOST_READ = 4096
_MOST_TOLD = 3
_LONGEST = 250
_MOST_REMEMBERED = 1024


def read_notices(values: Iterable[str]) -> tuple[str, ...]:
    """Read the texts out of the `Warning` headers of an answer; short, few, and plain ASCII."""
    found = _WARNING.findall(", ".join(values)[:_MOST_READ])
    texts = [_plain(_ESCAPED.sub(r"\1", text)) for text in found]
    return tuple(dict.fromkeys(text for text in texts if text))[:_MOST_TOLD]


def _plain(text: str) -> str:
    shown = "".join(one if one.isascii() and one.isprintable() else "?" for one in text)
    return shown.strip()[:_LONGEST]


class Notices:
    """The last words of a mirror about each manifest that was asked for of late."""

    def __init__(self) -> None:
        self._texts: OrderedDict[tuple[str, str], str] = OrderedDict()

    def hear(self, repository: RepositoryName, reference: Reference, values: Iterable[str]) -> None:
        """Take the `Warning` headers of an answer instead of what was said before."""
        key = (str(repository), str(reference))
        self._texts.pop(key, None)
        if texts := read_notices(values):
            self._texts[key] = "; ".join(texts)
            if len(self._texts) > _MOST_REMEMBERED:
                self._texts.popitem(last=False)

    def about(self, repository: RepositoryName, reference: Reference) -> str:
        """Tell what was said with the last answer; "" for nothing."""
        return self._texts.get((str(repository), str(reference)), "")
