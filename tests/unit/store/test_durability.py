"""When it is time for an fsync: enough bytes, and not too soon after the last one."""

from __future__ import annotations

import time
from pathlib import Path
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

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


def test_a_sync_that_fails_is_told_of_and_made_up_for(tmp_path: Path) -> None:
    layout, boot = Layout(tmp_path), uuid4()
    draft = Draft(Digest.of(DATA), layout, boot, Durability(60, 0.0))
    draft.write(Chunk(0, (memoryview(DATA),)))
    here = layout.partial(Digest.of(DATA))
    aside = here.with_name("aside")
    here.rename(aside)  # so that its name cannot be made durable
    with capture_logs() as logs:
        draft.sync()
        assert [each["event"] for each in logs] == ["partial.not_synced"]
        aside.rename(here)
        due = [draft.sync_due]
        draft.sync()
        due.append(draft.sync_due)
        assert due == [True, False]
        assert len(logs) == 1
    draft.abandon()
    after = Draft(Digest.of(DATA), layout, uuid4(), Durability(60, 0.0))  # as after a power cut
    assert after.written.total == len(DATA)
    after.abandon()
