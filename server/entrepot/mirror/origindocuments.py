"""What is known of where things came from, as JSON: `/v1/why` and `/v1/ledger`."""

from __future__ import annotations

from entrepot.mirror.documents import Document, time_text
from entrepot.mirror.origins import Origin, Standing, Suspect, demoted_until
from entrepot.oci.digest import Digest
from entrepot.trust.ledger import LedgerRecord, Verdict
from entrepot.trust.level import Level
from entrepot.trust.pins import Pin


def origin_document(origin: Origin) -> Document:
    """Tell everything about one image."""
    tag, manifest = origin.tag, origin.manifest
    until = demoted_until(origin)
    refused = [one for one in origin.records if one.verdict is Verdict.REFUSED]
    return {
        "name": origin.name,
        "registry": origin.registry,
        "repository": origin.repository,
        "reference": str(origin.reference),
        "digest": _digest(origin.digest),
        "level": _level(origin.level),
        "vouched_by": origin.level.explanation if origin.level is not None else None,
        "policy": str(origin.policy),
        "pin": _pin(origin.pin),
        "said_by": tag.mirror if tag is not None else None,
        "checked_at": time_text(tag.checked_at) if tag is not None else None,
        "manifest_from": manifest.mirror if manifest is not None else None,
        "media_type": manifest.media_type if manifest is not None else None,
        "given": [
            {"mirrors": one.mirrors, "blobs": one.blobs, "bytes": one.bytes} for one in origin.given
        ],
        "other_names": list(origin.names),
        "refused": sorted({one.mirror for one in refused if one.mirror}),
        "demoted": [
            {"mirror": mirror, "until": time_text(until.get(mirror))} for mirror in origin.demoted
        ],
        "records": [record_document(record) for record in origin.records],
    }


def record_document(record: LedgerRecord) -> Document:
    """Tell one line of the ledger; `text` is for people."""
    return {
        "at": time_text(record.at),
        "image": record.image,
        "mirror": record.mirror,
        "received": _digest(record.received),
        "verdict": record.verdict.value,
        "digest": _digest(record.digest),
        "level": _level(record.level),
        "note": record.note,
        "text": str(record),
    }


def standing_document(standing: Standing) -> Document:
    """Tell how one mirror stands."""
    counts = dict(standing.counts)
    return {
        "registry": standing.registry,
        "mirror": standing.mirror,
        **{verdict.value: counts.get(verdict, 0) for verdict in Verdict},
        "last_at": time_text(standing.last_at),
        "demoted": standing.demoted,
    }


def suspect_document(suspect: Suspect) -> Document:
    """Tell what only one mirror's word brought."""
    return record_document(suspect.record) | {"held": suspect.held}


def _pin(pin: Pin | None) -> Document | None:
    if pin is None:
        return None
    return {
        "digests": [str(digest) for digest in pin.digests],
        "where": pin.where,
        "source": pin.source,
        "date": pin.date,
    }


def _digest(digest: Digest | None) -> str | None:
    return str(digest) if digest is not None else None


def _level(level: Level | None) -> str | None:
    return str(level) if level is not None else None
