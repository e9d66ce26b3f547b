"""Several documents laid over each other: the embedded defaults, a preset, a file, overrides."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from entrepot.config.document import Document
from entrepot.config.problems import Place, Problem, nearest, show_value, write_place


@dataclass(slots=True)
class Layers:
    """The outcome, and for each place the file and line that it came from.

    Mappings at the top are merged key by key, so that a registry that is given replaces the
    one of that name below it and leaves the others; everything else replaces what lies below.
    The aliases of a registry stay unless others are written: they are what clients say.
    """

    data: dict[str, object] = field(default_factory=dict)
    origins: dict[Place, tuple[str, int]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    names: list[str] = field(default_factory=list)

    def lay(self, document: Document) -> None:
        """Put one more document on top."""
        self.names.append(document.name)
        self.problems.extend(document.problems)
        for key, value in document.data.items():
            below = self.data.get(key)
            if value is None and key in self.data and key != "admin":
                continue  # a heading whose lines are all commented out; only admin goes off
            if not isinstance(value, dict) or not isinstance(below, dict):
                self._replace(document, (key,))
                self.data[key] = value
                continue
            merged = dict(below)
            for inner, inner_value in value.items():
                place = (key, inner)
                if key == "registries" and inner_value is None:
                    self._remove(document, merged, place)
                    continue
                self._replace(document, place)
                merged[inner] = inner_value
                if key == "registries":
                    self._keep_aliases(place, below.get(inner), merged, value)
            self.data[key] = merged

    def origin(self, place: Place) -> tuple[str, int]:
        """Give file and line of a place, or of the nearest one round it."""
        return self.origins.get(self.known(place), (self.names[-1], 0))

    def height(self, place: Place) -> int:
        """Give the number of the document that a place comes from; higher lies on top."""
        return self.names.index(self.origin(place)[0])

    def known(self, place: Place) -> Place:
        """Cut a place down to what was really written."""
        while place and place not in self.origins:
            place = place[:-1]
        return place

    def value(self, place: Place) -> object:
        """Give the value at a place; None where there is none."""
        found: object = self.data
        for part in place:
            if isinstance(found, dict):
                found = found.get(part)
            elif isinstance(found, list) and isinstance(part, int) and part < len(found):
                found = found[part]
            else:
                return None
        return found

    def problem(self, place: Place, message: str, *, choices: Iterable[str] = ()) -> Problem:
        """Describe a mistake at a place, with its value and the choice most like it."""
        file, line = self.origin(place)
        value = self.value(place)
        suggestion = nearest(value, choices) if isinstance(value, str) else ""
        return Problem(
            file, line, write_place(place), message, show_value(place, value), suggestion
        )

    def _replace(self, document: Document, place: Place) -> None:
        depth = len(place)
        for old in [old for old in self.origins if old[:depth] == place]:
            del self.origins[old]
        for new, line in document.lines.items():
            if new[:depth] == place:
                self.origins[new] = (document.name, line)
        self.origins.setdefault(place[:1], (document.name, document.lines.get(place[:1], 0)))

    def _keep_aliases(
        self,
        place: Place,
        below: object,
        registries: dict[str, object],
        written: dict[object, object],
    ) -> None:
        """Leave a registry its other names, but for those that the document gives to registries."""
        above = registries[str(place[1])]
        if not isinstance(above, dict) or "aliases" in above or not isinstance(below, dict):
            return
        aliases = below.get("aliases")
        if isinstance(aliases, list) and (kept := [one for one in aliases if one not in written]):
            registries[str(place[1])] = {**above, "aliases": kept}

    def _remove(self, document: Document, registries: dict[str, object], place: Place) -> None:
        name = str(place[1])
        if name in registries:
            del registries[name]
            return
        line = document.lines.get(place, 0)
        message = "takes out a registry that is not there"
        suggestion = nearest(name, registries)
        self.problems.append(
            Problem(document.name, line, write_place(place), message, suggestion=suggestion)
        )
