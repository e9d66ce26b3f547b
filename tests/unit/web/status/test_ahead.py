"""Orders typed into the page, and jobs as it tells them."""

from __future__ import annotations

from pathlib import Path

import pytest

from entrepot.errors import EntrepotError
from entrepot.mirror.names import NameTable
from entrepot.mirror.prefetch import Means, Prefetch
from entrepot.mirror.prefetchjob import Order
from entrepot.web.status.ahead import ITEMS, jobs_documents, read_order
from fakes.images import image
from fakes.registry import FakeRegistry
from mirroring import REGISTRY, mirroring
from unit.web.serving import until

NAMES = NameTable({REGISTRY: ["alias.test"]})


def test_names_come_with_spaces_commas_and_lines_and_each_counts_once() -> None:
    form = {
        "images": f" alias.test/pause:1,{REGISTRY}/pause:1\nbusybox:2 ",
        "platforms": "linux/arm64, linux/amd64",
    }
    wanted = (f"{REGISTRY}/pause:1", "docker.io/library/busybox:2")
    assert read_order(form, NAMES) == Order(wanted, ("linux/arm64", "linux/amd64"), "page")


@pytest.mark.parametrize("images", ["", " , ", "pause", "a/B:1", "x:<b>", "a:1 " + "b" * 300])
def test_what_names_no_image_is_refused_at_once(images: str) -> None:
    with pytest.raises(EntrepotError):
        read_order({"images": images}, NAMES)


async def test_jobs_are_told_with_what_went_wrong(tmp_path: Path) -> None:
    async with FakeRegistry() as mirror, mirroring(tmp_path, mirror.url) as mirrored:
        mirror.put_image("pause", "1", image("pause"))
        prefetch = Prefetch(
            Means(NameTable({REGISTRY: []}), mirrored.tags, mirrored.blobs, 5.0), ()
        )
        prefetch.courtesy.quiet_s = 0.0
        jobs = [prefetch.start(Order((f"{REGISTRY}/pause:1",), ("linux/amd64",)))]
        jobs.append(prefetch.start(Order(tuple(f"no.test/x:{n}" for n in range(ITEMS + 3)))))
        assert [one["state"] for one in jobs_documents(prefetch)] == ["under way"] * 2
        await until(lambda: all(job.ended for job in jobs))
        failed, done = jobs_documents(prefetch)
        await prefetch.aclose()
    assert (done["state"], done["done"], done["items"]) == ("done", 1, [])
    assert done["bytes"] == done["bytes_total"] != 0
    assert (done["first"], done["platforms"]) == (f"{REGISTRY}/pause:1", "linux/amd64")
    assert (failed["state"], failed["images"], failed["more"]) == ("failed", ITEMS + 3, 3)
    items = failed["items"]
    assert isinstance(items, list)
    assert "not served here" in items[0]["reason"]
