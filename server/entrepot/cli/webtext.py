"""A text from the web, for a command that takes files and URLs alike."""

from __future__ import annotations

import urllib.error
import urllib.request
from http.client import HTTPMessage
from typing import IO
from urllib.parse import urlsplit

import click

from entrepot import __version__

LARGEST_BYTES = 64 << 20
_PATIENCE_S = 60.0


class Unfetched(click.ClickException):
    """It could not be had; exit status 1. `missing`: the server says that there is no such file."""

    def __init__(self, message: str, *, missing: bool = False) -> None:
        super().__init__(message)
        self.missing = missing


class NoWayDown(urllib.request.HTTPRedirectHandler):
    """Refuses to leave https on the way, also where the way ends there again."""

    def redirect_request(  # noqa: PLR0917 - it is called so
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        """Tell what to ask next; Unfetched for what nothing proves."""
        target = urlsplit(newurl)
        if target.scheme != "https" and (req.type == "https" or target.scheme != "http"):
            raise Unfetched(f"{req.full_url}: leads to {target.scheme}://{target.netloc}")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def is_url(text: str) -> bool:
    """Whether this is a URL and no path."""
    return text.startswith(("https://", "http://"))


def fetch_text(url: str) -> str:
    """Fetch a text, by the proxies of the environment; Unfetched when that fails.

    Nothing proves it but the connection, so that a redirect from https to anything else fails.
    """
    request = urllib.request.Request(url, headers={"User-Agent": f"entrepot/{__version__}"})  # noqa: S310 - the caller has seen is_url
    try:
        with urllib.request.build_opener(NoWayDown).open(request, timeout=_PATIENCE_S) as answer:
            if answer.headers.get_content_type() == "text/html":
                raise Unfetched(f"{url}: a web page came; give the address of the file itself")
            body: bytes = answer.read(LARGEST_BYTES + 1)
    except urllib.error.HTTPError as error:
        error.close()
        raise Unfetched(f"{url}: answered {error.code}", missing=error.code == 404) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise Unfetched(f"{url}: {reason}") from error
    if len(body) > LARGEST_BYTES:
        raise Unfetched(f"{url}: more than {LARGEST_BYTES >> 20} MiB")
    return body.decode("utf-8", errors="replace")
