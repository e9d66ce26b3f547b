"""Signed URLs of the S3 kind: good for one object, for a while, byte for byte as given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from fakes.answer import Answer
from fakes.pull_api import part


@dataclass(slots=True)
class SignedUrls:
    """What one origin has signed. `get_only`: 403 to HEAD, as presigned GET URLs do (U-4)."""

    get_only: bool = True
    _signed: dict[str, bytes] = field(default_factory=dict)
    _expired: set[str] = field(default_factory=set)

    def sign(self, digest: str, data: bytes, *, expired: bool = False) -> str:
        """A path and query that answers with `data`, with escapes a client must not tidy up."""
        name = digest.replace(":", "%3A")
        number = len(self._signed)
        target = (
            f"/containers/images/{name}/data"
            f"?X-Amz-Credential=AKIA%2F20260801%2Fs3&X-Amz-Date=2026-08-01T00%3A00%3A00Z"
            f"&X-Amz-Signature=5ig%2B{number}%3D"
        )
        self._signed[target] = data
        if expired:
            self._expired.add(target)
        return target

    def expire_all(self) -> None:
        """Every URL signed so far is refused from here on."""
        self._expired |= set(self._signed)

    def answer(
        self, method: str, target: str, *, authorization: Sequence[str], range_header: str | None
    ) -> Answer:
        """Answer a request for `target`, exactly as it came over the wire."""
        if authorization:
            return _refused(400, "InvalidArgument", "Only one auth mechanism allowed")
        data = self._signed.get(target)
        if data is None:
            return _refused(403, "SignatureDoesNotMatch", "Check your key and signing method")
        if target in self._expired:
            return _refused(403, "AccessDenied", "Request has expired")
        if method == "HEAD" and self.get_only:
            return _refused(403, "SignatureDoesNotMatch", "Signed for GET")
        return part(data, range_header, {"Content-Type": "binary/octet-stream"})


def _refused(status: int, code: str, message: str) -> Answer:
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return Answer(status, body.encode(), {"Content-Type": "application/xml"})
