"""What the admin listener tells, as JSON: the keys that `entrepot … --json` has as well."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime

from entrepot.mirror.library import Checked, Collected, Kept, Removal, Status
from entrepot.oci.digest import Digest
from entrepot.store.completeness import PlatformState
from entrepot.store.inventory import ImageRecord
from entrepot.store.scrub import ScrubStatus
from entrepot.trust.level import Level

Document = dict[str, object]


def time_text(seconds: float | None) -> str | None:
    """Write a time of the epoch for people and programs; None for never."""
    if not seconds:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def image_document(
    record: ImageRecord, begun: Mapping[Digest, int] | None = None, *, missing: bool = False
) -> Document:
    """Tell an image; `missing`: also which blobs are not here; `begun` has what is of those."""
    told = record.completeness
    return {
        "name": record.name,
        "registry": record.registry,
        "repository": record.repository,
        "reference": record.reference[1:],
        "digest": str(record.digest),
        "media_type": record.media_type,
        "size": told.bytes_present,
        "complete": told.complete,
        "pullable": told.pullable,
        "platforms": [_platform(one, begun or {}, missing=missing) for one in told.platforms],
        "used_at": time_text(record.used_at),
        "mirror": record.mirror,
        "level": str(Level(record.level)) if record.level else None,
    }


def _platform(state: PlatformState, begun: Mapping[Digest, int], *, missing: bool) -> Document:
    document: Document = {
        "platform": state.platform,
        "manifest": str(state.manifest),
        "complete": state.complete,
        "here": not state.lacks_manifest,
        "bytes": state.bytes_present,
        "bytes_begun": sum(begun.get(one.digest, 0) for one in state.missing),
        "bytes_total": state.bytes_total,
    }
    if missing:
        document["missing"] = [
            {"digest": str(one.digest), "media_type": one.media_type, "size": one.size}
            for one in state.missing
        ]
    return document


def removal_document(removal: Removal) -> Document:
    """Tell what a removal came to."""
    return asdict(removal) | {"digest": str(removal.digest)}


def collected_document(collected: Collected) -> Document:
    """Tell what a gc did."""
    return {
        "freed_bytes": collected.freed_bytes,
        "partials": collected.partials,
        "evicted": collected.evicted,
        "orphans": collected.sweep.orphans,
        "lost": collected.sweep.lost,
        "adopted": collected.sweep.adopted,
        "odd": collected.sweep.odd,
        "failed": collected.sweep.failed,
        "blobs": collected.held.blobs,
        "bytes": collected.held.bytes,
    }


def checked_document(checked: Checked) -> Document:
    """Tell how one blob was found."""
    return {
        "digest": str(checked.digest),
        "size": checked.size,
        "verdict": checked.verdict.value,
        "images": list(checked.images),
    }


def keeps_document(kept: Kept) -> Document:
    """Tell what is never evicted."""
    return {"settings": list(kept.settings), "told": list(kept.told)}


def scrub_document(status: ScrubStatus) -> Document:
    """Tell how far the scrub is."""
    return {
        "running": status.running,
        "position": status.position,
        "began_at": time_text(status.round_began_at),
        "ended_at": time_text(status.round_ended_at),
        "blobs": status.blobs,
        "bytes": status.bytes,
        "rotten": status.rotten,
        "last_rotten": str(status.last_rotten) if status.last_rotten is not None else None,
    }


def status_document(status: Status) -> Document:
    """Tell how everything is."""
    return {
        "blobs": status.held.blobs,
        "bytes": status.held.bytes,
        "max_size": status.limits.max_size,
        "min_free": status.limits.min_free,
        "unfinished": asdict(status.unfinished),
        "rebuilding": status.incomplete,
        "offline": status.offline,
        "fills": status.fills,
        "scrub": scrub_document(status.scrub),
    }
