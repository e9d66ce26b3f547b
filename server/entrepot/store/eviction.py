"""Which images go when room is needed: a pure function of what is known about them.

An image is worth the more, the later it was used and the more it would cost to get again:

    staleness = seconds since it was last used / cost        the stalest goes first

`cost` is 1 for what a fast mirror would bring again at once, and more for what came slowly or has
nobody left to bring it (`entrepot.mirror.refetch`): with a cost of 8 an image unused for eight days
is worth as much as a cheap one unused for one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

_FRESHEST_S = 1.0
"""Nothing is fresher: clocks that went back must not turn the order round."""


@dataclass(frozen=True, slots=True)
class Image:
    """What goes or stays as one: a manifest that no other lists, and all that it needs.

    `parts` are the files of that, the manifests among them, `own` those that no other image needs.
    A blob that no manifest lists is an image of one part. `used_at` is seconds of the epoch; one
    that is `spared` stays whatever it is worth: a rule keeps it, or somebody is pulling it.
    """

    root: str
    used_at: float
    parts: frozenset[str]
    own: frozenset[str] = frozenset()
    cost: float = 1.0
    spared: bool = False

    def staleness(self, now: float) -> float:
        """Tell how little it is worth: seconds unused, divided by what it costs to get again."""
        return max(now - self.used_at, _FRESHEST_S) / self.cost


def choose_victims(
    images: Sequence[Image],
    sizes: Mapping[str, int],
    wanted_bytes: int,
    now: float,
    shared: Collection[str] = (),
) -> list[Image]:
    """Choose the stalest images, as few as free `wanted_bytes`, or all that may go.

    A part counts as freed with the last image that needs it; those in `shared` never do, because
    images that are not among `images` need them too.
    """
    needed = Counter(part for image in images for part in image.parts)
    candidates = [image for image in images if not image.spared]
    candidates.sort(key=lambda image: (-image.staleness(now), image.root))
    victims: list[Image] = []
    freed_bytes = 0
    for image in candidates:
        if freed_bytes >= wanted_bytes:
            break
        victims.append(image)
        for part in image.parts:
            needed[part] -= 1
            if needed[part] == 0 and part not in shared:
                freed_bytes += sizes.get(part, 0)
    return victims
