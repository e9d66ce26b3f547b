"""The list of what is held, page by page."""

from __future__ import annotations

from typing import Any, cast

from entrepot.cli.adminclient import AdminClient
from entrepot.cli.held import held_tags, image_pages


class Pages:
    """Two pages, of which the second has an image without a tag."""

    def get(self, path: str, **query: str | None) -> Any:
        assert path == "/v1/images"
        if query["after"] is None:
            return {"images": [{"reference": "1"}, {"reference": "2"}], "next": "2"}
        last = [{"reference": "sha-1"}, {"reference": f"sha256:{'a' * 64}"}]
        return {"images": last, "next": None}


CLIENT = cast("AdminClient", Pages())


def test_pages_follow_one_another() -> None:
    assert [len(page) for page in image_pages(CLIENT)] == [2, 2]


def test_tags_only() -> None:
    assert [one["reference"] for one in held_tags(CLIENT)] == ["1", "2", "sha-1"]
