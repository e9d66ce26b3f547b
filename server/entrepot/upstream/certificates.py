"""Whom TLS connections trust: read once, however many mirrors rely on the same authorities."""

from __future__ import annotations

import ssl
from pathlib import Path
from threading import Lock


class Certificates:
    """TLS contexts, shared by all who ask for the same.

    The system's authorities take some 40 ms and 1 MB each time they are read: with a mirror or two
    for each of eight registries that was most of the time a start took.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._contexts: dict[tuple[Path | None, bool], ssl.SSLContext] = {}

    def context(self, ca: Path | None, *, insecure: bool) -> ssl.SSLContext:
        """The context for one authority more than the system's, if any; reads files, so it blocks.

        `insecure` trusts anybody. OSError or ssl.SSLError when the file cannot be read.
        """
        with self._lock:
            known = self._contexts.get((ca, insecure))
            if known is None:
                known = self._contexts[ca, insecure] = _context(ca, insecure=insecure)
            return known


def _context(ca: Path | None, *, insecure: bool) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if ca is not None:
        context.load_verify_locations(cafile=ca)
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
