"""A server in lines for a terminal."""

from __future__ import annotations

from typing import Any

from entrepot.cli.frame import disk, frame, going

MIRROR = {
    "registry": "r",
    "name": "well",
    "state": "closed",
    "ready_in": 0,
    "latency": 0.02,
    "throughput": 3 << 20,
    "bytes": 1 << 20,
    "last_error": None,
    "last_error_at": None,
}
NOW: dict[str, Any] = {
    "version": "1",
    "uptime_seconds": 120,
    "offline": False,
    "totals": {"requests": 4, "hit_rate": 0.75, "saved_bytes": 1 << 20, "failed": 1},
    "fills": [],
    "mirrors": [MIRROR],
}


def test_at_rest() -> None:
    assert list(frame(NOW)) == [
        "Entrepot 1, up for 2 min",
        "75 % of 4 requests without a download, 1.0 MiB saved, 1 failed",
        "",
        "nothing is being downloaded",
        "",
        "MIRROR  FOR  HEALTH  ANSWERS IN  SPEED      BROUGHT  LAST ERROR",
        "well    r    well    20 ms       3.0 MiB/s  1.0 MiB  -",
    ]


def test_a_download_and_mirrors_in_trouble() -> None:
    fill = {
        "registry": "r",
        "repository": "app",
        "digest": f"sha256:{'ab' * 32}",
        "size": 100,
        "bytes": 50,
        "rate": 25.0,
        "seconds_left": 2.0,
        "readers": 1,
        "mirrors": [{"name": "well", "bytes": 50, "rate": 25.0}],
    }
    hidden = {**fill, "repository": None, "size": None, "seconds_left": None, "mirrors": []}
    out = {**MIRROR, "state": "open", "ready_in": 5, "last_error": "refused", "latency": None}
    new = {**MIRROR, "latency": None, "throughput": None}
    totals = {"requests": 0, "hit_rate": None, "saved_bytes": -5, "failed": 0}
    told = {
        **NOW,
        "offline": True,
        "totals": totals,
        "fills": [fill, hidden],
        "mirrors": [out, new],
    }
    lines = list(frame(told))
    assert lines[0].endswith("OFFLINE")
    assert lines[1] == "- of 0 requests without a download, 0 B saved, 0 failed"
    assert "r/app@abababababab" in lines
    bar = f"[{'#' * 12}{'.' * 12}]"
    assert f"  {bar} 50 B of 100 B, 25 B/s, 2.0 s left, 1 reader" in lines
    assert "    well: 50 B, 25 B/s" in lines
    assert "r/(private)@abababababab" in lines
    assert f"  [{'.' * 24}] 50 B, 25 B/s, 1 reader" in lines
    assert "left out for 5.0 s" in lines[-2]
    assert "refused (never)" in lines[-2]
    assert "not asked yet" in lines[-1]


def test_a_long_error_says_first_what_it_is() -> None:
    digest = f"sha256:{'7a' * 32}"
    error = f"not what the pin says: {digest} under this tag"
    lines = list(frame({**NOW, "mirrors": [{**MIRROR, "last_error": error}]}))
    assert lines[-1].endswith("not what the pin says: sha256:7a7a7a7a… under this tag (never)")
    lines = list(frame({**NOW, "mirrors": [{**MIRROR, "last_error": "x" * 100}]}))
    assert lines[-1].endswith(f" {'x' * 59}… (never)")


def test_the_disk_and_what_goes_next() -> None:
    told = {
        "blobs": 2,
        "bytes": 10,
        "max_size": 1024,
        "unfinished": 1,
        "unfinished_bytes": 5,
        "free": 1 << 30,
        "size": 2 << 30,
    }
    assert list(disk(told)) == [
        "2 blobs, 10 B of 1.0 KiB kept",
        "1 download unfinished, 5 B",
        "1.0 GiB of 2.0 GiB free on the disk",
    ]
    assert next(disk({**told, "max_size": None, "unfinished": 0})) == "2 blobs, 10 B kept"
    assert list(going([])) == []
    lines = list(going([{"name": "r/a:1", "bytes": 5, "used_at": None}]))
    assert lines[-1] == "  r/a:1  5 B  never"
