"""A mirror may promise more bytes than a blob has; then it only looks as if it broke off."""

from __future__ import annotations

from entrepot.store.partial import Partial


async def was_too_large(partial: Partial) -> bool:
    """Whether what is there is the whole blob; its size is corrected if so. Raises StoreError."""
    if partial.front in {0, partial.size} or partial.written.total != partial.front:
        return False
    promised, partial.size = partial.size, partial.front
    if await partial.verify():
        return True
    if promised is not None:
        partial.size = promised
    return False
