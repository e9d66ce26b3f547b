"""Which images are kept whatever happens: by the settings, and by what was told at run time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from entrepot.errors import DigestInvalid
from entrepot.mirror.names import NameTable
from entrepot.oci.pattern import ImagePattern
from entrepot.store.candidates import Candidate


class Keeping:
    """Patterns, each under the name that the registry is known by here."""

    def __init__(
        self, patterns: Iterable[ImagePattern] = (), names: NameTable | None = None
    ) -> None:
        self._names = names
        self._by_registry: defaultdict[str, list[ImagePattern]] = defaultdict(list)
        self._digests: set[str] = set()
        self._add(patterns)

    def _add(self, patterns: Iterable[ImagePattern]) -> None:
        for pattern in patterns:
            known = self._names.canonical(pattern.registry) if self._names is not None else None
            ours = pattern.under(known or pattern.registry)
            if ours.digest is not None:
                self._digests.add(str(ours.digest))
            else:
                self._by_registry[ours.registry].append(ours)

    def with_more(self, texts: Iterable[str]) -> Keeping:
        """Keep these too; one that is no pattern is passed over."""
        more = Keeping((), self._names)
        more._by_registry.update({name: list(own) for name, own in self._by_registry.items()})
        more._digests |= self._digests
        for text in texts:
            try:
                more._add([ImagePattern.parse(text)])
            except (ValueError, DigestInvalid):
                continue
        return more

    def keeps(self, candidate: Candidate) -> bool:
        """Whether one of its names, or the digest of anything in it, is to stay."""
        if not self._digests.isdisjoint(candidate.parts):
            return True
        root = candidate.root
        if self._matches(root.registry, root.repository, None):
            return True
        return any(self._matches(*name) for name in candidate.names)

    def _matches(self, registry: str, repository: str, tag: str | None) -> bool:
        patterns = self._by_registry.get(registry, ())
        return any(pattern.matches(registry, repository, tag) for pattern in patterns)
