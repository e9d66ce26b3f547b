"""How long a blob is, by whose word: a mirror may promise more bytes than there are, or less."""

from __future__ import annotations

from entrepot.store.partial import Partial


async def believe(manifest_size: int | None, partial: Partial) -> None:
    """Go by a manifest's word, rather than by a mirror's that is left from before. StoreError.

    No mirror that tells the truth would be believed against it.
    """
    if manifest_size is None or partial.size == manifest_size:
        return
    if partial.written.end > manifest_size:
        await partial.reset()
    partial.size = manifest_size


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
