"""When it is time for an fsync: enough bytes, and not too soon after the last one."""

from __future__ import annotations

import time
from pathlib import Path
from uuid import uuid4

import pytest

from entrepot.oci.digest import Digest
from entrepot.store.chunk import Chunk
from entrepot.store.draft import Draft
from entrepot.store.durability import Durability
from entrepot.store.layout import Layout

DATA = bytes(range(100))


@pytest.mark.parametrize(
    ("unsynced", "ago_s", "due"),
    [(99, 60.0, False), (100, 60.0, True), (10_000, 0.0, False), (100, 31.0, True)],
    ids=["too little", "enough", "too soon", "soon enough"],
)
def test_both_the_bytes_and_the_time_have_to_be_over(
    unsynced: int, ago_s: float, *, due: bool
) -> None:
    rule = Durability(every_bytes=100, after_s=30.0)
    assert rule.due(unsynced, time.monotonic() - ago_s) is due


def test_unless_said_otherwise_a_power_cut_takes_little() -> None:
    rule = Durability()
    assert not rule.due(rule.every_bytes, time.monotonic())
    assert not rule.due(rule.every_bytes - 1, time.monotonic() - 3600)
    assert rule.due(64 << 20, time.monotonic() - 5.0)


@pytest.mark.parametrize(("after_s", "due"), [(0.0, True), (3600.0, False)])
def test_a_draft_asks_it_about_what_was_written_since_its_last_fsync(
    tmp_path: Path, after_s: float, *, due: bool
) -> None:
    draft = Draft(Digest.of(DATA), Layout(tmp_path), uuid4(), Durability(60, after_s))
    draft.write(Chunk(0, (memoryview(DATA)[:59],)))
    assert not draft.sync_due
    draft.write(Chunk(59, (memoryview(DATA)[59:],)))
    assert draft.sync_due is due
    draft.sync()
    assert not draft.sync_due
    draft.abandon()
