"""One HTTP answer as plain values, before anything breaks it on its way out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True)
class Answer:
    """`body` is what follows the headers; `start` its offset in the whole resource."""

    status: int
    body: bytes | memoryview = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    start: int = 0

    def having(self, **headers: str) -> Answer:
        """The same answer with headers added; `_` in a name stands for `-`."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return replace(self, headers={**self.headers, **named})


def oci_error(
    status: int, code: str, message: str, headers: Mapping[str, str] | None = None
) -> Answer:
    """The error body of the distribution spec."""
    body = json.dumps({"errors": [{"code": code, "message": message, "detail": None}]}).encode()
    return Answer(
        status, body + b"\n", {**(headers or {}), "Content-Type": "application/json; charset=utf-8"}
    )


def redirect(location: str) -> Answer:
    """A 307 with the small HTML body that Go's net/http sends."""
    body = f'<a href="{location}">Temporary Redirect</a>.\n\n'.encode()
    return Answer(307, body, {"Location": location, "Content-Type": "text/html; charset=utf-8"})
