"""How a server is, in lines for a terminal: the same for a look and for watching."""

from __future__ import annotations

import re
from collections.abc import Iterator

from entrepot.cli.adminclient import Document
from entrepot.cli.wording import ago_text, columns, count_text, size_text
from entrepot.wording import span_text

_BAR = 24
_ERROR = 60
_DIGEST = re.compile(r"(sha256:[0-9a-f]{8})[0-9a-f]{56}")
_STATES = {
    "closed": "well",
    "open": "left out",
    "half_open": "to be tried",
    "throttled": "throttled",
}


def frame(now: Document) -> Iterator[str]:
    """Write everything that changes from second to second."""
    totals = now["totals"]
    rate = totals["hit_rate"]
    share = "-" if rate is None else f"{100 * rate:.0f} %"
    saved = size_text(max(totals["saved_bytes"], 0))
    offline = "  OFFLINE" if now["offline"] else ""
    yield f"Entrepot {now['version']}, up for {span_text(now['uptime_seconds'])}{offline}"
    yield (
        f"{share} of {count_text(totals['requests'], 'request')} without a download,"
        f" {saved} saved, {totals['failed']} failed"
    )
    yield ""
    yield from _fills(now["fills"])
    yield ""
    yield from columns(
        [("MIRROR", "FOR", "HEALTH", "ANSWERS IN", "SPEED", "BROUGHT", "LAST ERROR")]
        + [_mirror(one) for one in now["mirrors"]]
    )


def disk(told: Document) -> Iterator[str]:
    """Write how full the cache is."""
    limit = f" of {size_text(told['max_size'])}" if told["max_size"] else ""
    yield f"{count_text(told['blobs'], 'blob')}, {size_text(told['bytes'])}{limit} kept"
    if told["unfinished"]:
        many = count_text(told["unfinished"], "download")
        yield f"{many} unfinished, {size_text(told['unfinished_bytes'])}"
    yield f"{size_text(told['free'])} of {size_text(told['size'])} free on the disk"


def going(told: list[Document]) -> Iterator[str]:
    """Write what would be evicted first."""
    if told:
        yield ""
        yield "would go first, were room needed:"
        rows = [
            ("  " + one["name"], size_text(one["bytes"]), ago_text(one["used_at"])) for one in told
        ]
        yield from columns(rows)


def _fills(fills: list[Document]) -> Iterator[str]:
    if not fills:
        yield "nothing is being downloaded"
        return
    for fill in fills:
        name = f"{fill['registry']}/{fill['repository'] or '(private)'}@{fill['digest'][7:19]}"
        size = f" of {size_text(fill['size'])}" if fill["size"] else ""
        left = fill["seconds_left"]
        rest = f", {span_text(left)} left" if left is not None else ""
        yield name
        yield (
            f"  {_bar(fill['bytes'], fill['size'])} {size_text(fill['bytes'])}{size},"
            f" {size_text(fill['rate'])}/s{rest}, {count_text(fill['readers'], 'reader')}"
        )
        for mirror in fill["mirrors"]:
            yield (
                f"    {mirror['name']}: {size_text(mirror['bytes'])}, {size_text(mirror['rate'])}/s"
            )


def _bar(part: int, whole: int | None) -> str:
    filled = min(_BAR * part // whole, _BAR) if whole else 0
    return f"[{'#' * filled}{'.' * (_BAR - filled)}]"


def _mirror(mirror: Document) -> tuple[str, ...]:
    state = _STATES[mirror["state"]]
    if mirror["ready_in"] > 0:
        state += f" for {span_text(mirror['ready_in'])}"
    elif mirror["latency"] is None and mirror["state"] == "closed":
        state = "not asked yet"
    error = mirror["last_error"]
    return (
        mirror["name"],
        mirror["registry"],
        state,
        span_text(mirror["latency"]) if mirror["latency"] is not None else "-",
        f"{size_text(mirror['throughput'])}/s" if mirror["throughput"] is not None else "-",
        size_text(mirror["bytes"]),
        f"{_short(error)} ({ago_text(mirror['last_error_at'])})" if error else "-",
    )


def _short(error: str) -> str:
    """Cut what a mirror's error says to what a line has room for; digests first."""
    text = _DIGEST.sub(r"\1…", error)
    return text if len(text) <= _ERROR else f"{text[: _ERROR - 1]}…"
