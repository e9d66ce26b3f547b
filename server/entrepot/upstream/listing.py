"""Pages of tags and of referrers, as registries send them."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from yarl import URL

from entrepot.errors import TagInvalid
from entrepot.oci.mediatype import read_document
from entrepot.oci.reference import Tag
from entrepot.upstream.redirects import next_hop, same_origin

_LINK = re.compile(r'<([^>]*)>\s*((?:;\s*[^,;"]+(?:"[^"]*")?\s*)*)')
_NEXT = re.compile(r";\s*rel\s*=\s*\"?next\"?", re.IGNORECASE)


def read_tags(body: bytes) -> tuple[Tag, ...]:
    """Read one page; ValueError when it is no tags list. What is no tag is left out."""
    try:
        document: object = json.loads(body)
    except (ValueError, RecursionError):
        raise ValueError("a tags list that is not JSON") from None
    if not isinstance(document, dict) or "tags" not in document:
        raise ValueError("a tags list without tags in it")
    listed = document["tags"]
    if listed is None:  # how Go writes an empty list
        return ()
    if isinstance(listed, list):
        return tuple(tag for entry in listed if (tag := _tag(entry)) is not None)
    raise ValueError("a tags list whose tags are no list")


def joined_referrers(pages: Sequence[bytes]) -> bytes:
    """Make one index of all pages; one page alone stays as it came. ValueError if one is none."""
    listed: list[object] = []
    for page in pages:
        try:
            entries = read_document(page).get("manifests")
        except ValueError as error:
            raise ValueError(f"referrers: {error}") from error
        if not isinstance(entries, list):
            raise ValueError("referrers that are no index")  # noqa: TRY004 - about content
        listed += entries
    if len(pages) == 1:
        return pages[0]
    whole = {**read_document(pages[0]), "manifests": listed}
    return json.dumps(whole, separators=(",", ":")).encode()


def next_page(link: str | None, page: URL) -> URL | None:
    """Tell where the page after `page` is; None at the end.

    ValueError when it leads to another origin: our Authorization goes with it.
    """
    for target, parameters in _LINK.findall(link or ""):
        if _NEXT.search(parameters):
            url = next_hop(page, target)
            if not same_origin(page, url):
                raise ValueError(f"a list that goes on at another host ({url.host})")
            return url
    return None


def _tag(entry: object) -> Tag | None:
    try:
        return Tag.parse(entry) if isinstance(entry, str) else None
    except TagInvalid:
        return None
