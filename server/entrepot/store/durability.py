"""When the bytes of a download have to outlive a power cut."""

from __future__ import annotations

import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Durability:
    """What a power cut may take: so many bytes, or what came in so many seconds if that is more.

    Each fsync takes the disk from others, and on a fast link the bytes come again sooner than that
    is worth.
    """

    every_bytes: int = 64 << 20
    after_s: float = 5.0

    def due(self, unsynced: int, synced_at: float) -> bool:
        """Whether it is time for an fsync; `synced_at` is monotonic seconds of the last one."""
        return unsynced >= self.every_bytes and time.monotonic() - synced_at >= self.after_s
