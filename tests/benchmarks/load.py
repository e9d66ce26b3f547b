"""The clients: wrk for requests a second, curl for one big blob, `readers` for many clients."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from asyncio.subprocess import PIPE
from dataclasses import dataclass

from benchmarks import readers
from benchmarks.content import Blob

# containerd's own Accept list for a manifest.
ACCEPT = (
    "application/vnd.docker.distribution.manifest.v2+json,"
    " application/vnd.docker.distribution.manifest.list.v2+json,"
    " application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, */*"
)
WRK_CONNECTIONS = 16


class LoadFailed(Exception):
    """The load was not served as it should have been, so its figures mean nothing."""


@dataclass(frozen=True, slots=True)
class Download:
    """One client's whole download, as it saw it."""

    seconds: float
    first_byte_s: float


async def _run(*command: str) -> str:
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE)
    try:
        out, err = await process.communicate()
    except BaseException:
        process.kill()
        await process.wait()
        raise
    if process.returncode:
        raise LoadFailed(f"{command[0]} ended with {process.returncode}: {err.decode()[-500:]}")
    return out.decode()


async def requests_per_second(url: str, seconds: int) -> float:
    """GET `url` as fast as it is answered, over 16 connections of one thread."""
    out = await _run(
        "wrk", "-t1", f"-c{WRK_CONNECTIONS}", f"-d{seconds}s", "-H", f"Accept: {ACCEPT}", url
    )
    if "Non-2xx" in out or "Socket errors" in out:
        raise LoadFailed(f"{url}: {out}")
    rate = re.search(r"Requests/sec:\s+([\d.]+)", out)
    if rate is None:
        raise LoadFailed(f"wrk said nothing of requests a second: {out}")
    return float(rate[1])


async def download(url: str, size: int) -> Download:
    """Fetch `url` once with curl, throwing the bytes away."""
    written = "%{http_code} %{size_download} %{time_total} %{time_starttransfer}"
    out = await _run("curl", "--silent", "--show-error", "-o", "/dev/null", "-w", written, url)
    status, received, total, first = out.split()
    if (status, int(received)) != ("200", size):
        raise LoadFailed(f"{url}: status {status}, {received} of {size} bytes")
    return Download(seconds=float(total), first_byte_s=float(first))


async def read_together(url: str, blob: Blob, clients: int) -> list[readers.Reading]:
    """Fetch `blob` with that many clients at once, every byte compared with the origin's."""
    out = await _run(sys.executable, readers.__file__, url, str(clients), str(blob.path))
    readings = [readers.Reading(**reading) for reading in json.loads(out)]
    problems = [reading.problem for reading in readings if reading.problem]
    if problems:
        raise LoadFailed(f"{url}: {len(problems)} of {clients} clients: {problems[0]}")
    return readings
