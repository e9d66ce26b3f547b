"""Whether a network is there at all, as one round of fetching ahead finds it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from entrepot.errors import AllFailed, EntrepotError, MirrorSilent, MirrorUnreachable

_OUT_OF_REACH = frozenset({MirrorUnreachable.outcome, MirrorSilent.outcome})
_ENOUGH = 2
"""So many images in one round that no mirror of a registry could be reached for."""


@dataclass(slots=True)
class Reach:
    """What is known of each registry: asking silent mirrors again costs time for every image.

    `left_out` tells whether the breakers of all mirrors of a registry are open: what is answered
    from the cache says nothing of mirrors, and a mirror that answers anything closes its own.
    """

    left_out: Callable[[str], bool]
    _lost: dict[str, list[AllFailed]] = field(default_factory=dict)

    def note(self, registry: str, error: EntrepotError) -> None:
        """Remember how asking for one image failed."""
        if isinstance(error, AllFailed) and is_out_of_reach(error):
            self._lost.setdefault(registry, []).append(error)

    def is_lost(self, registry: str) -> bool:
        """Whether an image of the registry failed so, and no mirror of it has been heard since."""
        return registry in self._lost and self.left_out(registry)

    def why_not(self, registry: str) -> AllFailed | None:
        """Tell why the registry need not be asked for more images in this round."""
        if len(self._lost.get(registry, ())) < _ENOUGH or not self.is_lost(registry):
            return None
        told = f"no mirror of {registry} can be reached: not asked"
        return AllFailed(told, self._lost[registry][0].attempts)


def is_out_of_reach(error: AllFailed) -> bool:
    """Whether mirrors were asked, and none said anything."""
    outcomes = {each.outcome for each in error.attempts}
    return bool(outcomes) and outcomes <= _OUT_OF_REACH
