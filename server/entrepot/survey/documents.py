"""Findings as JSON, for `--json`; times in seconds, sizes in bytes."""

from __future__ import annotations

from entrepot.oci.digest import Digest
from entrepot.survey.findings import Examination, Finding, Transfer
from entrepot.survey.suggestion import Suggested

Document = dict[str, object]


def examination_document(
    examination: Examination, suggested: tuple[Suggested, ...] = ()
) -> Document:
    """Tell everything that was found out with one image."""
    pin = examination.pin
    return {
        "image": str(examination.wanted),
        "registry": examination.wanted.registry,
        "digest": _text(examination.digest),
        "level": str(examination.level) if examination.level is not None else None,
        "vouched_by": examination.vouched_by,
        "pin": {"digests": [str(each) for each in pin.digests], "where": pin.where}
        if pin is not None
        else None,
        "usable": examination.usable,
        "mirrors": [_finding(finding) for finding in examination.findings],
        "suggestion": [{"mirror": one.settings, "why": one.why} for one in suggested],
    }


def _finding(finding: Finding) -> Document:
    fidelity = finding.fidelity
    return {
        "mirror": finding.mirror,
        "place": finding.place,
        "url": finding.url,
        "authority": finding.authority,
        "name_there": finding.upstream,
        "route": finding.route,
        "state": finding.state.value,
        "note": finding.note,
        "seconds": round(finding.seconds, 4),
        "digest": _text(finding.digest),
        "pinned": finding.pinned,
        "fidelity": fidelity.value if fidelity is not None else None,
        "explanation": fidelity.explanation if fidelity is not None else "",
        "detail": finding.detail,
        "token_servers": list(finding.token_servers),
        "usable": finding.usable,
        "transfer": _transfer(finding.transfer),
    }


def _transfer(transfer: Transfer) -> Document:
    return {
        "bytes": transfer.bytes,
        "seconds": round(transfer.seconds, 4),
        "first_byte_s": transfer.first_byte_s,
        "bytes_per_second": transfer.bytes_per_second,
        "sound": transfer.sound,
        "ranges": transfer.ranges.value,
        "note": transfer.note,
    }


def _text(digest: Digest | None) -> str | None:
    return str(digest) if digest is not None else None
