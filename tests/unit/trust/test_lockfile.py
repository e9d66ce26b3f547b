"""A lock is a file of pins that says who vouched; the same lock is the same text."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
import yaml

from entrepot.oci.digest import Digest
from entrepot.oci.reference import RepositoryName, Tag
from entrepot.trust.level import Level
from entrepot.trust.lockfile import LockChanges, Moved, compare_locks, lock_entry, write_lock
from entrepot.trust.pinfile import PinEntry, read_pin_file
from entrepot.trust.pins import combine

A, B = Digest.of(b"a"), Digest.of(b"b")
K8S = "registry.k8s.io"
NOW = datetime(2026, 11, 24, 18, 30, 5, tzinfo=UTC)


def entry(tag: str, digest: Digest = A, level: Level = Level.AUTHORITY) -> PinEntry:
    return lock_entry(K8S, RepositoryName("pause"), Tag(tag), digest, level)


def test_the_text_of_a_lock() -> None:
    text = write_lock([entry("3.10", B, Level.FIRST), entry("3.9")], made_from="lab", made_at=NOW)
    assert text == (
        "# Digests that tags are locked to: mirrors are asked for these and for nothing else.\n"
        "# Made by Entrepot; keep it in git. Behind each digest stands what vouched for it.\n"
        "schema: 1\n"
        "source: lab\n"
        "date: 2026-11-24T18:30:05Z\n"
        "pins:\n"
        f"  registry.k8s.io/pause:3.9: {A}  # authority\n"
        f"  registry.k8s.io/pause:3.10: {B}  # first\n"
    )
    assert set(yaml.safe_load(text)) == {"schema", "source", "date", "pins"}


def test_the_same_lock_is_the_same_text_in_every_zone_and_order() -> None:
    entries = [entry("3.9"), entry("3.10", B)]
    east = NOW.astimezone(timezone(timedelta(hours=8)))
    one = write_lock(entries, made_from="lab", made_at=NOW)
    assert write_lock(reversed(entries), made_from="lab", made_at=east) == one
    with pytest.raises(ValueError, match="zone"):
        write_lock(entries, made_from="lab", made_at=NOW.replace(tzinfo=None))


def test_a_lock_is_read_as_pins() -> None:
    text = write_lock([entry("3.9")], made_from="lab", made_at=NOW)
    file = read_pin_file("entrepot.lock", text.splitlines())
    pin = combine([file]).pin(K8S, "pause", "3.9")
    assert pin is not None
    assert (pin.digest, pin.source, pin.date) == (A, "lab", "2026-11-24T18:30:05Z")


def test_changes_are_told() -> None:
    old = read_pin_file(
        "old",
        write_lock(
            [entry("3.8"), entry("3.9"), entry("3.10")], made_from="x", made_at=NOW
        ).splitlines(),
    )
    changes = compare_locks(old, [entry("3.9"), entry("3.10", B), entry("3.11")])
    pause = f"{K8S}/pause"
    assert changes == LockChanges(
        (f"{pause}:3.11",), (f"{pause}:3.8",), (Moved(f"{pause}:3.10", (A,), (B,)),)
    )
    assert changes.lines() == [
        f"+ {pause}:3.11",
        f"- {pause}:3.8",
        f"! {pause}:3.10: {A} -> {B}",
    ]
    assert changes


def test_another_way_of_vouching_is_no_change() -> None:
    old = read_pin_file("old", write_lock([entry("3.9")], made_from="x", made_at=NOW).splitlines())
    assert not compare_locks(old, [entry("3.9", level=Level.FIRST)])
