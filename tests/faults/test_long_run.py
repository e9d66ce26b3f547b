"""Requests of every kind, again and again: what the server holds on to does not grow.

16,000 of them here; `--long-run 1000000` makes it a million, like `python -m benchmarks.longrun`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.longrun import EVERY, FIRST, LongRun, Plan, Sample, table

pytestmark = [pytest.mark.faults]

GROWTH = 1.2
SOCKETS = 30
"""How many connections to mirrors may be idle, more or less, whenever one looks."""


@pytest.mark.timeout(7200)
async def test_long_run(
    tmp_path: Path, fault_seed: int, long_run_requests: int, figures: list[str]
) -> None:
    requests = long_run_requests
    plan = Plan(fault_seed, requests, first=min(FIRST, requests // 2), every=EVERY)
    run = LongRun(plan, tmp_path)
    samples: list[Sample] = [sample async for sample in run.samples()]
    figures += ["long run:", *table(samples).splitlines(), f"long run: {dict(run.counted)}"]
    first, last = samples[0], samples[-1]
    assert [what for what in run.counted if what.startswith("WRONG")] == []
    assert run.counted.total() >= requests
    assert (last.files, last.tasks, last.fills) == (first.files, first.tasks, 0)
    assert last.sockets <= first.sockets + SOCKETS
    assert last.threads <= first.threads + 1
    assert last.passes > first.passes > 0  # it was evicting before the first look already
    assert last.rss_bytes <= GROWTH * first.rss_bytes
