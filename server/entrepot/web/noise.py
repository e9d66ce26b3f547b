"""What aiohttp has to say of connections that do not speak HTTP, or end."""

from __future__ import annotations

import logging

from aiohttp.http_exceptions import HttpProcessingError


class MalformedRequests(logging.Filter):
    """Lets everything pass but a traceback for each request that could not be read or answered.

    The sender of the first was answered with a 400 already (C-8); whoever scans the network, or
    speaks TLS to a plain port, does not fill the log. Nor does a connection that was cut, by
    either side: the request's own line says why (T-3).
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether `record` is worth a line."""
        error = record.exc_info[1] if record.exc_info else None
        return not isinstance(error, HttpProcessingError | ConnectionError)


def http_log() -> logging.Logger:
    """The logger to hand to `aiohttp.web.Server`."""
    logger = logging.getLogger("entrepot.http")
    if not any(isinstance(one, MalformedRequests) for one in logger.filters):
        logger.addFilter(MalformedRequests())
    return logger
