"""Where a redirect leads, decided without sending anything (U-3)."""

from __future__ import annotations

import re

from yarl import URL

from entrepot.upstream.inside import is_this_machine

MOST_HOPS = 10
STATUSES = frozenset({301, 302, 303, 307, 308})

_UNSENDABLE = re.compile(r"[^\x21-\x7e]")


def next_hop(current: URL, location: str) -> URL:
    """Tell the url that `location`, answered by `current`, means.

    Nothing in it is quoted anew, because a signature may cover its exact bytes; only what cannot
    stand in a request line is. ValueError, with a reason fit for a person and without the
    query, when it must not be followed.
    """
    sendable = _UNSENDABLE.sub(_percent, location.strip())
    try:
        target = current.join(URL(sendable, encoded=True)).with_fragment(None)
        host, _ = target.host, target.port
    except ValueError:
        raise ValueError("redirects to something that is no url") from None
    if target.scheme not in {"http", "https"} or not host:
        raise ValueError(f"redirects to something that is no web address ({target.scheme}:)")
    if target.user is not None or target.password is not None:
        raise ValueError(f"redirects to {host} with credentials in the url")
    if is_this_machine(host) and not is_this_machine(current.host or ""):
        raise ValueError(f"redirects into our own machine ({host})")
    if current.scheme == "https" and target.scheme == "http":
        raise ValueError(f"redirects from https to plain http ({host})")
    return target


def same_origin(one: URL, other: URL) -> bool:
    """Whether both urls have one scheme, host and port: what belongs to one may go to the other."""
    return _origin(one) == _origin(other)


def _origin(url: URL) -> tuple[str, str, int | None]:
    # A url taken over as it is keeps the case of its host.
    return url.scheme, (url.host or "").lower(), url.port


def _percent(unsendable: re.Match[str]) -> str:
    encoded = unsendable[0].encode("utf-8", "surrogateescape")
    return "".join(f"%{byte:02X}" for byte in encoded)
