"""Docker Hub's limit on manifest GETs (U-9)."""

from __future__ import annotations

from fakes.answer import Answer, oci_error
from fakes.pull_api import Route


class Quota:
    """Counts manifest GETs of everybody together; there is no second window."""

    def __init__(self, limit: int, window_s: int) -> None:
        self._limit, self._window_s, self._used = limit, window_s, 0

    def charge(self, method: str, wanted: Route | None) -> Answer | None:
        """Count this request; the 429 when it is one too many."""
        if method != "GET" or wanted is None or wanted.kind != "manifests":
            return None
        self._used += 1
        if self._used <= self._limit:
            return None
        message = "You have reached your unauthenticated pull rate limit."
        return oci_error(429, "TOOMANYREQUESTS", message, {"Retry-After": "60"})

    def headers(self) -> dict[str, str]:
        """The headers on every answer, named for `Answer.having`."""
        left = max(0, self._limit - self._used)
        return {
            "ratelimit_limit": f"{self._limit};w={self._window_s}",
            "ratelimit_remaining": f"{left};w={self._window_s}",
            "docker_ratelimit_source": "127.0.0.1",
        }
