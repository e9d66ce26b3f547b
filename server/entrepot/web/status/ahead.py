"""Fetching ahead, as the page tells it: an order from its form, and how the last jobs are."""

from __future__ import annotations

from collections.abc import Mapping

from entrepot.errors import NameInvalid
from entrepot.mirror.documents import Document, time_text
from entrepot.mirror.imagenames import image_name
from entrepot.mirror.names import NameTable
from entrepot.mirror.prefetch import Prefetch
from entrepot.mirror.prefetchjob import Job, Order, State

MOST_IMAGES = 1000
JOBS = 5
ITEMS = 20
_TOLD = {State.FETCHING, State.RETRYING, State.FAILED}


def read_order(form: Mapping[str, object], names: NameTable) -> Order:
    """Read what was typed: names of images, and platforms, with spaces, commas or lines between.

    NameInvalid and the like for what names no image: a typing mistake is told at once.
    """
    images = tuple(dict.fromkeys(image_name(one, names) for one in _words(form, "images")))
    if not 0 < len(images) <= MOST_IMAGES:
        raise NameInvalid(f"name the images to fetch, {MOST_IMAGES} at most")
    return Order(images, tuple(_words(form, "platforms")), "page")


def jobs_documents(prefetch: Prefetch) -> list[Document]:
    """Tell the last jobs, the newest first, with those of their images that need a look."""
    return [_job(job, prefetch) for job in reversed(prefetch.jobs()[-JOBS:])]


def _job(job: Job, prefetch: Prefetch) -> Document:
    progress = prefetch.progress(job)
    items = [item for item in job.items if item.state in _TOLD]
    return {
        "number": job.number,
        "first": job.items[0].name or job.items[0].told if job.items else "nothing",
        "images": progress.images,
        "platforms": ", ".join(job.order.platforms),
        "origin": job.order.origin,
        "began_at": time_text(job.began_at),
        "state": _state(job),
        "standing_back": progress.standing_back,
        "bytes": progress.bytes,
        "bytes_total": progress.bytes_total,
        "done": progress.done,
        "items": [
            {"name": item.name or item.told, "state": item.state.value, "reason": item.reason}
            for item in items[:ITEMS]
        ],
        "more": max(len(items) - ITEMS, 0),
    }


def _state(job: Job) -> str:
    if not job.ended:
        return "under way"
    if job.cancelled:
        return "ended early"
    return "failed" if job.failed else "done"


def _words(form: Mapping[str, object], key: str) -> list[str]:
    told = form.get(key, "")
    return told.replace(",", " ").split() if isinstance(told, str) else []
