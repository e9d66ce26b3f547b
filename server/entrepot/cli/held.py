"""What a cache holds, read page by page."""

from __future__ import annotations

from collections.abc import Iterator

from entrepot.cli.adminclient import AdminClient, Document

_PAGE = "500"


def image_pages(client: AdminClient, pattern: str | None = None) -> Iterator[list[Document]]:
    """Give the images that match, in the order of their names, as `/v1/images` tells them."""
    after = None
    while True:
        told = client.get("/v1/images", pattern=pattern, after=after, limit=_PAGE)
        if told["images"]:
            yield told["images"]
        after = told["next"]
        if after is None:
            return


def held_tags(client: AdminClient) -> Iterator[Document]:
    """Give everything that has a tag."""
    for page in image_pages(client):
        yield from (image for image in page if ":" not in image["reference"])
