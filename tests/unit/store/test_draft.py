from __future__ import annotations

import os
import random
import resource
import shutil
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from entrepot.errors import Corrupt, StoreError
from entrepot.oci.digest import Digest
from entrepot.store.chunk import Chunk
from entrepot.store.draft import Draft
from entrepot.store.durability import Durability
from entrepot.store.journal import RECORD_BYTES
from entrepot.store.layout import Layout
from entrepot.store.leftover import remove_partial, survey
from entrepot.store.rangeset import EMPTY, RangeSet

SIZE = 96
TRUTH = random.Random(1).randbytes(SIZE)
DIGEST = Digest.of(TRUTH)
DURABLE_EVERY = Durability(24, 0)
WRONG = bytes(byte ^ 0xFF for byte in TRUTH)


def chunk(start: int, stop: int, source: bytes = TRUTH) -> Chunk:
    return Chunk(start, (memoryview(source)[start:stop],))


class Watched(Draft):
    """Remembers what the disk would hold after a power cut: the file as of its last fsync."""

    survivor: bytes = b""

    def _fsync_data(self) -> None:
        super()._fsync_data()
        self.survivor = self._path.read_bytes()


class DraftMachine(RuleBasedStateMachine):
    """Random writes, kills, power cuts and torn journals, against a model of plain bytes."""

    def __init__(self) -> None:
        super().__init__()
        # in memory where there is such a place: hundreds of fsyncs are not what this is about
        shared = Path("/dev/shm")
        self.root = Path(tempfile.mkdtemp(dir=shared if shared.is_dir() else None))
        self.layout = Layout(self.root)
        self.boot = uuid4()
        self.model: dict[int, int] = {}
        self.size: int | None = None
        self.only_truth = True
        self.draft = self.start(b"")

    def start(self, survivor: bytes) -> Watched:
        draft = Watched(DIGEST, self.layout, self.boot, DURABLE_EVERY)
        draft.survivor = survivor
        while draft.catch_up(10):
            assert draft.front < SIZE
        return draft

    @property
    def data(self) -> Path:
        return self.layout.partial(DIGEST) / "data"

    @property
    def map(self) -> Path:
        return self.layout.partial(DIGEST) / "map"

    @initialize(known=st.booleans())
    def say_size(self, known: bool) -> None:
        if known:
            self.draft.size = self.size = SIZE

    @rule(a=st.integers(0, SIZE), b=st.integers(0, SIZE), cuts=st.integers(1, 4))
    def write(self, a: int, b: int, cuts: int) -> None:
        start, stop = min(a, b), max(a, b)
        step = max(1, (stop - start) // cuts)
        buffers = [memoryview(TRUTH)[at : min(at + step, stop)] for at in range(start, stop, step)]
        self.draft.write(Chunk(start, tuple(buffers)))
        self.claim(start, stop, TRUTH)

    @rule(a=st.integers(0, SIZE), b=st.integers(0, SIZE))
    def write_wrong(self, a: int, b: int) -> None:
        start, stop = min(a, b), max(a, b)
        self.draft.write(chunk(start, stop, WRONG))
        self.claim(start, stop, WRONG)
        self.only_truth = False

    def claim(self, start: int, stop: int, source: bytes) -> None:
        for at in range(start, stop):
            self.model.setdefault(at, source[at])

    @rule(a=st.integers(0, SIZE), b=st.integers(0, SIZE))
    def forget(self, a: int, b: int) -> None:
        start, stop = min(a, b), max(a, b)
        self.draft.forget(start, stop)
        for at in range(start, stop):
            self.model.pop(at, None)

    @rule()
    def reset(self) -> None:
        self.draft.reset()
        self.model, self.size, self.only_truth = {}, None, True
        self.draft.size = self.size = SIZE

    @rule()
    def close(self) -> None:
        self.draft.close()
        self.draft = self.start(self.draft.survivor)

    @rule()
    def kill(self) -> None:
        """The same boot: everything handed to the kernel is still there."""
        self.draft.abandon()
        self.forget_unwritten_size()
        self.draft = self.start(self.draft.survivor)

    @rule()
    def kill_while_committing(self) -> None:
        self.draft.abandon()
        self.data.chmod(0o444)
        self.forget_unwritten_size()
        self.draft = self.start(self.draft.survivor)

    @rule(torn=st.integers(1, 6 * RECORD_BYTES))
    def kill_and_tear_the_map(self, torn: int) -> None:
        self.draft.abandon()
        whole = self.map.read_bytes()
        self.map.write_bytes(whole[: max(0, len(whole) - torn)])
        self.restart_distrustful(self.draft.survivor)

    @rule(garbage=st.binary(min_size=1, max_size=RECORD_BYTES * 2))
    def kill_and_append_garbage(self, garbage: bytes) -> None:
        self.draft.abandon()
        with self.map.open("ab") as file:
            file.write(garbage)
        self.forget_unwritten_size()
        self.draft = self.start(self.draft.survivor)

    @rule(filler=st.sampled_from([b"\0", b"\xaa"]))
    def cut_the_power(self, filler: bytes) -> None:
        """The map survives whole, of the data only what was fsynced: the worst case for trust."""
        survivor, length = self.draft.survivor, self.data.stat().st_size
        self.draft.abandon()
        self.data.write_bytes(survivor[:length].ljust(length, filler))
        self.boot = uuid4()
        self.restart_distrustful(self.data.read_bytes())

    def restart_distrustful(self, survivor: bytes) -> None:
        """What is claimed now is what counts, but with true bytes only truth may be claimed."""
        self.draft = self.start(survivor)
        found = self.data.read_bytes()
        self.model = {at: found[at] for a, b in self.draft.written for at in range(a, b)}
        if self.only_truth:
            assert all(TRUTH[at] == byte for at, byte in self.model.items())
        self.size = self.draft.size

    def forget_unwritten_size(self) -> None:
        """A size that no bytes followed was never on the disk; say it again as a fill would."""
        self.size = survey(self.layout.partial(DIGEST), self.boot)[0].size

    @precondition(lambda self: self.size is not None)
    @rule()
    def commit(self) -> None:
        whole = self.model == dict(enumerate(TRUTH))
        assert self.draft.verify() == whole
        if not whole:
            with pytest.raises(Corrupt):
                self.draft.commit()
            return
        self.draft.commit()
        blob = self.layout.blob(DIGEST)
        assert blob.read_bytes() == TRUTH
        assert not self.layout.partial(DIGEST).exists()
        blob.unlink()
        self.draft = self.start(b"")
        self.model, self.size, self.only_truth = {}, None, True

    @invariant()
    def claims_exactly_what_is_there(self) -> None:
        expected = EMPTY
        for at in self.model:
            expected = expected.add(at, at + 1)
        assert self.draft.written == expected
        found = self.data.read_bytes()
        assert all(found[at] == byte for at, byte in self.model.items())
        assert self.draft.front == expected.contiguous_end(0)
        assert self.draft.size == self.size

    def teardown(self) -> None:
        self.draft.discard()
        assert not self.layout.partial(DIGEST).exists()
        shutil.rmtree(self.root)


DraftMachine.TestCase.settings = settings(max_examples=12, stateful_step_count=20, deadline=None)
TestDraftMachine = DraftMachine.TestCase


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path)


@pytest.fixture
def boot() -> UUID:
    return uuid4()


def test_threads_writing_the_same_bytes_leave_one_copy(layout: Layout, boot: UUID) -> None:
    draft = Draft(DIGEST, layout, boot, DURABLE_EVERY)
    draft.size = SIZE
    parts = [(at, min(SIZE, at + 7)) for at in range(0, SIZE, 5)] * 4
    random.Random(3).shuffle(parts)
    ready = threading.Barrier(4)

    def write(mine: list[tuple[int, int]]) -> None:
        ready.wait(30)
        for start, stop in mine:
            draft.write(chunk(start, stop))

    with ThreadPoolExecutor(4) as pool:
        for future in [pool.submit(write, parts[number::4]) for number in range(4)]:
            future.result(30)
    assert draft.front == SIZE
    draft.commit()
    assert layout.blob(DIGEST).read_bytes() == TRUTH


def test_after_a_failed_fsync_nothing_is_trusted_until_reset(layout: Layout, boot: UUID) -> None:
    """What a failed fsync lost looks written to the kernel from then on: asking again would lie."""
    draft = Draft(DIGEST, layout, boot, Durability(SIZE * 2, 0))
    draft.size = SIZE
    draft.write(chunk(0, SIZE))
    file = os.dup(draft._data)
    reading, writing = os.pipe()
    os.dup2(writing, draft._data)  # a pipe cannot be fsynced
    with pytest.raises(OSError):
        draft._sync()
    os.dup2(file, draft._data)
    for descriptor in (file, reading, writing):
        os.close(descriptor)
    for work in (draft.verify, draft.commit, lambda: draft.write(chunk(0, 1))):
        with pytest.raises(StoreError, match="lost"):
            work()
    failed = draft.failed
    draft.reset()
    assert (failed, draft.failed) == (True, False)
    draft.size = SIZE
    draft.write(chunk(0, SIZE))
    draft.commit()
    assert layout.blob(DIGEST).read_bytes() == TRUTH


def test_what_cannot_begin_leaves_nothing_behind(layout: Layout, boot: UUID) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        with pytest.raises(OSError):
            Draft(DIGEST, layout, boot, Durability(SIZE, 0))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not layout.partial(DIGEST).exists()


def test_what_cannot_be_gone_on_with_stays(layout: Layout, boot: UUID) -> None:
    draft = Draft(DIGEST, layout, boot, Durability(SIZE, 0))
    draft.write(chunk(0, 50))
    draft.close()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        with pytest.raises(OSError):
            Draft(DIGEST, layout, boot, Durability(SIZE, 0))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    again = Draft(DIGEST, layout, boot, Durability(SIZE, 0))
    assert again.written == RangeSet(((0, 50),))
    again.close()


def test_a_disk_that_is_full_half_way_claims_what_it_took(layout: Layout, boot: UUID) -> None:
    """The first part fits below the limit of the process, the second does not."""
    draft = Draft(DIGEST, layout, boot, Durability(SIZE * 2, 0))
    draft.size = SIZE
    draft.write(chunk(20, 30))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, hard))
    try:
        draft.write(chunk(0, 25))
        resource.setrlimit(resource.RLIMIT_FSIZE, (60, hard))
        with pytest.raises(OSError):
            draft.write(chunk(30, 90))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert draft.written == RangeSet(((0, 30),))
    draft.write(chunk(30, SIZE))
    draft.commit()
    assert layout.blob(DIGEST).read_bytes() == TRUTH


def test_a_closed_draft_refuses_everything_but_closing(layout: Layout, boot: UUID) -> None:
    draft = Draft(DIGEST, layout, boot, DURABLE_EVERY)
    draft.close()
    draft.close()
    draft.abandon()
    draft.discard()
    for work in (draft.verify, draft.commit, draft.reset, lambda: draft.forget(0, 1)):
        with pytest.raises(StoreError, match="closed"):
            work()
    assert not draft.is_open
    assert survey(layout.partial(DIGEST), boot)[0].written == EMPTY


def test_a_draft_that_cannot_be_opened_leaves_no_descriptor(layout: Layout, boot: UUID) -> None:
    (layout.partial(DIGEST) / "map").mkdir(parents=True)
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(OSError):
        Draft(DIGEST, layout, boot, DURABLE_EVERY)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_reset_that_fails_closes_the_draft(layout: Layout, boot: UUID) -> None:
    draft = Draft(DIGEST, layout, boot, DURABLE_EVERY)
    before = len(list(Path("/proc/self/fd").iterdir()))
    shutil.rmtree(layout.partial(DIGEST))
    with pytest.raises(OSError):
        draft.reset()
    assert not draft.is_open
    draft.close()
    assert len(list(Path("/proc/self/fd").iterdir())) == before - 2


def test_removing_a_partial_twice_is_harmless(layout: Layout, boot: UUID) -> None:
    Draft(DIGEST, layout, boot, DURABLE_EVERY).close()
    remove_partial(layout.partial(DIGEST))
    remove_partial(layout.partial(DIGEST))
    assert not layout.partial(DIGEST).exists()


class Back:
    """Counts how often memory was given back."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> None:
        self.calls += 1


@pytest.mark.parametrize("end", ["reset", "close", "abandon", "discard", "forget"])
def test_memory_that_waits_for_its_hash_is_given_back_at_the_end(tmp_path: Path, end: str) -> None:
    draft = Draft(DIGEST, Layout(tmp_path), uuid4(), DURABLE_EVERY)
    back = Back()
    draft.write(chunk(0, SIZE), back)
    assert draft.hash_due()
    assert not draft.hash_due()  # somebody was told already
    assert (back.calls, draft.front) == (0, 0)
    draft.forget(10, SIZE) if end == "forget" else getattr(draft, end)()
    assert back.calls == 1
    draft.hash_on()  # too late, and nothing comes of it
    draft.abandon()


def test_a_hash_that_fails_gives_the_memory_back(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    draft = Draft(DIGEST, layout, uuid4(), DURABLE_EVERY)
    first, second = Back(), Back()
    draft.write(chunk(0, 10))
    draft.forget(0, 10)
    draft.write(chunk(10, 20))
    draft.write(chunk(0, 10), first)
    draft.write(chunk(20, 30), second)
    os.truncate(layout.partial(DIGEST) / "data", 5)
    assert draft.hash_due()
    draft.hash_on()
    assert (first.calls, second.calls) == (1, 1)
    draft.abandon()
