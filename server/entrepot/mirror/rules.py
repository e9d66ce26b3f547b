"""Pins and policies, asked in the names that requests use."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from entrepot.oci.digest import Digest
from entrepot.oci.reference import RepositoryName, Tag
from entrepot.store.record import TagRecord
from entrepot.trust.level import Level
from entrepot.trust.pins import Pin, Pins
from entrepot.trust.policy import Policy, PolicyTable, Rule
from entrepot.trust.voting import Held

_NUMBERS = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Rules:
    """What tags may mean, as far as that is known before anybody is asked.

    Registries are named canonically. `number` is another for every object: records in memory
    outlast a reload, and those that older rules let pass have to pass again.
    """

    pins: Pins = field(default_factory=Pins)
    policies: PolicyTable = field(default_factory=lambda: PolicyTable.of({}))
    number: int = field(default_factory=lambda: next(_NUMBERS), init=False, compare=False)

    def policy(self, registry: str, repository: str) -> Policy:
        """Tell what is asked of an answer."""
        return self.policies.policy(registry, repository)

    def pin(self, registry: str, repository: str, tag: str) -> Pin | None:
        """Look a tag up; None also where the policy does not go by pins."""
        policy = self.policy(registry, repository)
        if all(step.rule is not Rule.PINNED for step in policy.steps):
            return None
        return self.pins.pin(registry, repository, tag)

    def demanded(self, registry: str, repository: str, tag: str) -> Pin | None:
        """Look a tag up; None also where the policy gives way to what mirrors have instead."""
        steps = self.policy(registry, repository).steps
        if not any(step.rule is Rule.PINNED and step.enforce for step in steps):
            return None
        return self.pin(registry, repository, tag)

    def held(self, record: TagRecord) -> Held:
        """Tell what a record counts for; a pin that is in no file any more is taken back."""
        held = Held(record.digest, Level(record.level), record.checked_at, record.mirror)
        pin = self.pin(record.registry, record.repository, record.tag)
        return held.released() if pin is None else held

    def have_vetted(self, record: TagRecord) -> bool:
        """Whether the record has passed these rules, and no older ones."""
        return record.vetted == self.number

    def vetted(self, record: TagRecord) -> TagRecord | None:
        """Give the record as it counts now; None when it may not be served unasked.

        That is: a pin says something else, or the policy asks for more than vouches for it.
        """
        pin = self.pin(record.registry, record.repository, record.tag)
        level = self.held(record).level
        if pin is not None:
            if not pin.allows(record.digest):
                return None
            level = Level.PIN
        if level < self.policy(record.registry, record.repository).floor:
            return None
        return replace(record, level=int(level), vetted=self.number)

    def tags_of(self, registry: str, repository: RepositoryName, digest: Digest) -> Iterator[Tag]:
        """Name the tags of a repository that are pinned to `digest`."""
        name = f"{registry}/{repository}"
        wanted = bytes.fromhex(digest.hex)
        for file in self.pins.files:
            for tag, record in file.tags.get(name, {}).items():
                if wanted in record and digest.algorithm == "sha256":
                    yield Tag(tag)
