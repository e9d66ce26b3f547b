"""The tags that were used last, in memory: the answer to most requests."""

from __future__ import annotations

from collections import OrderedDict

from entrepot.store.record import TagKey, TagRecord


class TagMemory:
    """At most `capacity` records, about 1 KiB each; who is used least recently goes first.

    `changes` counts what was put in or taken out, so that who reads from the disk meanwhile can
    tell whether what was read may be old.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._records: OrderedDict[TagKey, TagRecord] = OrderedDict()
        self.changes = 0

    def get(self, key: TagKey) -> TagRecord | None:
        """Tell what is remembered; counts as a use."""
        record = self._records.get(key)
        if record is not None:
            self._records.move_to_end(key)
        return record

    def put(self, record: TagRecord) -> None:
        """Remember `record` instead of what was known of its tag."""
        self.changes += 1
        self._records[record.key] = record
        self._records.move_to_end(record.key)
        while len(self._records) > self._capacity:
            self._records.popitem(last=False)

    def revise(self, before: TagRecord, record: TagRecord) -> None:
        """Remember `record` if `before` is what is remembered: it may be another, or none."""
        if self._records.get(before.key) == before:
            self.put(record)

    def drop(self, key: TagKey) -> None:
        """Forget a tag; it may have been unknown."""
        self.changes += 1
        self._records.pop(key, None)

    def all(self) -> tuple[TagRecord, ...]:
        """List everything, least recently used first."""
        return tuple(self._records.values())
