"""Rules for tests: a pin or two, and a policy."""

from __future__ import annotations

from entrepot.mirror.rules import Rules
from entrepot.oci.digest import Digest
from entrepot.oci.reference import RepositoryName
from entrepot.trust.pinfile import PinEntry, read_pin_file, write_pin_file
from entrepot.trust.pins import combine
from entrepot.trust.policy import Policy, PolicyTable
from mirroring import REGISTRY


def rules(policy: str = "pinned, authority, first warn", **pins: Digest) -> Rules:
    """A policy for everything, and pins of `pause` by tag; v1_2 stands for 1.2."""
    entries = [
        PinEntry(REGISTRY, RepositoryName("pause"), tag.lstrip("v").replace("_", "."), (digest,))
        for tag, digest in pins.items()
    ]
    text = write_pin_file(entries, source="a test", date="2026-11-28")
    file = read_pin_file("pins.yaml", text.splitlines(keepends=True))
    return Rules(combine([file]), PolicyTable({}, Policy.parse(policy)))
