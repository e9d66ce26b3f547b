"""The error codes of the distribution spec, and the body that carries them."""

from __future__ import annotations

import json
from enum import StrEnum


class ErrorCode(StrEnum):
    """What may stand in an error's `code` (N-4)."""

    BLOB_UNKNOWN = "BLOB_UNKNOWN"
    MANIFEST_UNKNOWN = "MANIFEST_UNKNOWN"
    NAME_UNKNOWN = "NAME_UNKNOWN"
    NAME_INVALID = "NAME_INVALID"
    DIGEST_INVALID = "DIGEST_INVALID"
    TAG_INVALID = "TAG_INVALID"
    UNAUTHORIZED = "UNAUTHORIZED"
    DENIED = "DENIED"
    UNSUPPORTED = "UNSUPPORTED"
    TOOMANYREQUESTS = "TOOMANYREQUESTS"
    # Not in the OCI table: docker's registry says these with a 503 and a 500, clients know them.
    UNAVAILABLE = "UNAVAILABLE"
    UNKNOWN = "UNKNOWN"


def error_body(code: ErrorCode, message: str, detail: object | None = None) -> bytes:
    """Write the JSON body of one error (E-4); TypeError when `detail` is not JSON."""
    error: dict[str, object] = {"code": code.value, "message": message}
    if detail is not None:
        error["detail"] = detail
    return json.dumps({"errors": [error]}, separators=(",", ":")).encode()
