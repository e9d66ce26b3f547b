"""The one table from the exception tree to HTTP (rules E-2 to E-4, N-4)."""

from __future__ import annotations

from dataclasses import dataclass

from entrepot.errors import (
    AllFailed,
    AllThrottled,
    ArchiveInvalid,
    Attempt,
    BlobUnknown,
    BodyTooLarge,
    Corrupt,
    DigestInvalid,
    DiskFull,
    EntrepotError,
    Exhausted,
    Incomplete,
    ManifestUnknown,
    MirrorSilent,
    MirrorUnreachable,
    NameInvalid,
    NameUnknown,
    NoRoom,
    NotHere,
    NotListed,
    Offline,
    RangeNotSatisfiable,
    RangeUnsupported,
    SetupInvalid,
    SignatureRefused,
    StoreError,
    TagInvalid,
    TooManyFailures,
    TransferBroken,
    Unauthenticated,
    Unsupported,
    Untrusted,
)
from entrepot.oci.errorcode import ErrorCode, error_body

RETRY_AFTER_S = 10
"""What a client is told when nobody told us anything better."""

CHALLENGE = 'Basic realm="entrepot"'
"""Never a mirror's own: its realm would send the node elsewhere with its password (A-2)."""

TABLE: dict[type[EntrepotError], tuple[int, ErrorCode]] = {
    NameInvalid: (400, ErrorCode.NAME_INVALID),
    NameUnknown: (404, ErrorCode.NAME_UNKNOWN),
    TagInvalid: (400, ErrorCode.TAG_INVALID),
    DigestInvalid: (400, ErrorCode.DIGEST_INVALID),
    RangeNotSatisfiable: (416, ErrorCode.UNSUPPORTED),
    RangeUnsupported: (400, ErrorCode.UNSUPPORTED),
    Unsupported: (405, ErrorCode.UNSUPPORTED),
    NotHere: (404, ErrorCode.NAME_UNKNOWN),
    NotListed: (404, ErrorCode.UNSUPPORTED),
    BodyTooLarge: (413, ErrorCode.UNSUPPORTED),
    SetupInvalid: (400, ErrorCode.UNSUPPORTED),
    Unauthenticated: (401, ErrorCode.UNAUTHORIZED),
    TooManyFailures: (429, ErrorCode.TOOMANYREQUESTS),
    ManifestUnknown: (404, ErrorCode.MANIFEST_UNKNOWN),
    BlobUnknown: (404, ErrorCode.BLOB_UNKNOWN),
    AllThrottled: (503, ErrorCode.TOOMANYREQUESTS),
    AllFailed: (502, ErrorCode.UNAVAILABLE),
    Untrusted: (502, ErrorCode.DENIED),
    Offline: (503, ErrorCode.UNAVAILABLE),
    Incomplete: (503, ErrorCode.UNAVAILABLE),
    # Not 5xx, for which podman and crane come back; it lasts until somebody signs the image.
    SignatureRefused: (403, ErrorCode.DENIED),
    ArchiveInvalid: (400, ErrorCode.UNSUPPORTED),
    TransferBroken: (502, ErrorCode.UNAVAILABLE),
    DiskFull: (503, ErrorCode.UNAVAILABLE),
    NoRoom: (503, ErrorCode.UNAVAILABLE),
    Corrupt: (503, ErrorCode.UNAVAILABLE),
    StoreError: (503, ErrorCode.UNAVAILABLE),
    EntrepotError: (500, ErrorCode.UNKNOWN),
}

_SLOW_OUTCOMES = frozenset({MirrorSilent.outcome, MirrorUnreachable.outcome})

_HONOURS_429 = (
    "containers/",
    "skopeo/",
    "podman/",
    "cri-o/",
    "Buildah/",
    "go-containerregistry/",
    "crane/",
    "cosign/",
    "oras",
    "Helm/",
)
"""How clients that wait for Retry-After call themselves (User-Agent prefixes)."""


@dataclass(frozen=True, slots=True)
class ErrorReply:
    """What to answer; `headers` without Content-Length."""

    status: int
    headers: dict[str, str]
    body: bytes


def error_reply(
    error: EntrepotError, *, user_agent: str = "", not_found_instead_of_5xx: bool = False
) -> ErrorReply:
    """The reply for `error`.

    429 is kept for clients that honour Retry-After; containerd would repeat at once, six times, so
    it gets 503 (E-2). `not_found_instead_of_5xx` is for containerd 1.3, 1.4.0-11 and 1.5.0-4, which
    fail the pull at any 5xx instead of asking the next endpoint.
    """
    status, code = _entry(error)
    headers = {"Content-Type": "application/json"}
    if isinstance(error, AllFailed) and _is_timeout(error.attempts):
        status = 504
    if isinstance(error, AllThrottled):
        headers["Retry-After"] = str(max(1, round(error.retry_after_s)))
        if user_agent.startswith(_HONOURS_429):
            status = 429
    elif status >= 500 and not isinstance(error, Offline):  # it lasts until somebody ends it
        headers["Retry-After"] = str(RETRY_AFTER_S)
    if isinstance(error, TooManyFailures):
        headers["Retry-After"] = str(max(1, round(error.retry_after_s)))
    if isinstance(error, Unauthenticated):
        headers["WWW-Authenticate"] = CHALLENGE
    if isinstance(error, RangeNotSatisfiable):
        headers["Content-Range"] = f"bytes */{error.size}"
    if isinstance(error, Unsupported):
        headers["Allow"] = "GET, HEAD"
    if not_found_instead_of_5xx and status >= 500:
        status, code = 404, ErrorCode.MANIFEST_UNKNOWN
        headers.pop("Retry-After", None)
    return ErrorReply(status, headers, error_body(code, str(error), _detail(error)))


def is_trouble(error: EntrepotError) -> bool:
    """Whether something went wrong; not if the request was, or nothing is there, or on purpose."""
    status, _ = _entry(error)
    return status >= 500 and not isinstance(error, Offline)


def _entry(error: EntrepotError) -> tuple[int, ErrorCode]:
    for cls in type(error).__mro__:
        if cls in TABLE:
            return TABLE[cls]
    return TABLE[EntrepotError]


def _is_timeout(attempts: tuple[Attempt, ...]) -> bool:
    outcomes = {attempt.outcome for attempt in attempts}
    return MirrorSilent.outcome in outcomes and outcomes <= _SLOW_OUTCOMES


def _detail(error: EntrepotError) -> object | None:
    """Mirror by mirror what was tried and what came back (P31); a HEAD has no room for it."""
    if isinstance(error, Incomplete):
        return error.detail or None
    if isinstance(error, SignatureRefused):
        return list(error.found) or None
    if not isinstance(error, Exhausted) or not error.attempts:
        return None
    return [
        {
            "mirror": attempt.mirror,
            "repository": attempt.repository,
            "outcome": attempt.outcome,
            "status": attempt.status,
            "message": attempt.message,
            "ms": attempt.elapsed_ms,
        }
        for attempt in error.attempts
    ]
