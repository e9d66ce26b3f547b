"""Names of repositories, tags, and what may stand where a tag may stand."""

from __future__ import annotations

import re
from typing import TypeAlias

from entrepot.errors import NameInvalid, TagInvalid
from entrepot.oci.digest import Digest

_MAX_NAME_CHARACTERS = 255
_PART = r"[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*"
_NAME = re.compile(rf"{_PART}(?:/{_PART})*")
_TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")


class RepositoryName(str):
    """A repository inside a registry, e.g. `coredns/coredns`; made only by `parse` (S-9)."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> RepositoryName:
        """Check the grammar of the distribution spec; NameInvalid when it does not hold."""
        if len(text) > _MAX_NAME_CHARACTERS:
            raise NameInvalid(f"a repository name has at most {_MAX_NAME_CHARACTERS} characters")
        if not _NAME.fullmatch(text):
            raise NameInvalid(
                f"{text!r} is no repository name: use lower-case letters and digits,"
                " parted by one '.', one or two '_', any '-', or '/'"
            )
        return cls(text)


class Tag(str):
    """A tag, e.g. `3.1`; made only by `parse` (S-9)."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Tag:
        """Check the grammar of the distribution spec; TagInvalid when it does not hold."""
        if not _TAG.fullmatch(text):
            raise TagInvalid(
                f"{text[:140]!r} is no tag: use at most 128 letters, digits, '.', '_' and '-',"
                " not beginning with '.' or '-'"
            )
        return cls(text)


Reference: TypeAlias = Tag | Digest


def parse_reference(text: str) -> Reference:
    """Read a digest where there is a colon, else a tag; DigestInvalid or TagInvalid."""
    return Digest.parse(text) if ":" in text else Tag.parse(text)
