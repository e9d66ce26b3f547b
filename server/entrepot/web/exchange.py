"""One request and its answer as they are logged and counted: one line, one increment."""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from entrepot.metrics import Metrics
from entrepot.mirror.names import ImageName

log = structlog.get_logger("entrepot.access")


@dataclass(slots=True)
class Exchange:
    """Filled in while the request is answered; `finish` is called exactly once, at its end.

    `started` and `deadline` are loop time in seconds, `sent_bytes` counts body bytes. `source` is
    hit, miss, join, fill, revalidated, stale, error, cut (by us) or gone (the client went first).
    `failed` is an error that is not the client's, nor the right answer to what it asks for.
    """

    method: str
    path: str
    client: str
    started: float
    deadline: float = 0.0
    kind: str = "other"
    registry: str = ""
    repository: str = ""
    reference: str = ""
    source: str = ""
    mirror: str = ""
    status: int = 0
    sent_bytes: int = 0
    reason: str = ""
    failed: bool = False

    def about(self, kind: str, image: ImageName, reference: str) -> None:
        """Note what is asked for."""
        self.kind = kind
        self.registry = image.registry
        self.repository = image.repository
        self.reference = reference

    def finish(self, metrics: Metrics, now: float) -> None:
        """Write the line and count."""
        seconds = now - self.started
        metrics.request(
            (self.registry, self.kind, self.source, str(self.status)),
            self.sent_bytes,
            seconds,
            failed=self.failed or self.source == "cut",
        )
        fields: dict[str, object] = {
            "client": self.client,
            "method": self.method,
            "status": self.status,
            "kind": self.kind,
        }
        if self.registry:
            fields["registry"] = self.registry
            fields["repository"] = self.repository
            if self.reference:
                fields["reference"] = self.reference
        else:
            fields["path"] = self.path[:200]
        fields["source"] = self.source
        if self.mirror:
            fields["mirror"] = self.mirror
        fields["bytes"] = self.sent_bytes
        fields["ms"] = round(seconds * 1000, 1)
        if self.reason:
            fields["reason"] = self.reason
        log.info("request", **fields)
