"""What the Kubernetes image promoter publishes: which digest each official tag has.

The promoter (kubernetes-sigs/promo-tools) copies images from staging registries to those behind
registry.k8s.io, as files in kubernetes/k8s.io tell it. An `images.yaml` is a list of
`{name, dmap: {digest: [tags]}}`; a `promoter-manifest.yaml` lists `registries`, one of them with
`src: true`, the others destinations, and may hold `images` too. Only digests of whole images
stand in them, children only where they have a name of their own (pause-amd64).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import yaml

from entrepot.errors import DigestInvalid, NameInvalid, TagInvalid
from entrepot.oci.digest import Digest
from entrepot.oci.reference import RepositoryName, Tag
from entrepot.trust.pinfile import PinEntry

REGISTRY = "registry.k8s.io"

# What stands behind registry.k8s.io now, what stood behind k8s.gcr.io before, and both themselves.
_DESTINATIONS = re.compile(
    r"""(?: [a-z0-9-]+-docker\.pkg\.dev/k8s-artifacts-prod/images
          | (?:(?:us|eu|asia)\.)?gcr\.io/k8s-artifacts-prod
          | registry\.k8s\.io
          | k8s\.gcr\.io
        )(?:/(.+))?""",
    re.VERBOSE,
)
# PyYAML's own C parser where it was built with one: ten times as fast. Plain text only, so that
# a tag 1.10 without quotes stays what it is.
_LOADER: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)


class Oddity(StrEnum):
    """Something in the promoter's files that a person may want to know of."""

    UNREADABLE = "not what a file of the promoter looks like"
    MISNAMED = "a file of another name than images.yaml, not read"
    NO_DESTINATION = "images that are promoted to nowhere we know, not used"
    UNKNOWN_DESTINATION = "a destination that is not behind registry.k8s.io, not used"
    WRONG_NAME = "a name, tag or digest that cannot be one, not used"
    UNTAGGED = "digests without tags, which need no pin"
    TWO_NAMES = "one digest under several names"
    TWO_DIGESTS = "one tag under several digests; any is accepted, the last is served"


@dataclass(frozen=True, slots=True)
class Odd:
    """One oddity: what, where, and the words for a person. `line` counts from 1, 0 is none."""

    kind: Oddity
    file: str
    line: int
    text: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        return f"{where}: {self.kind}: {self.text}"


@dataclass(frozen=True, slots=True)
class Promoted:
    """One digest of one image, as the promoter has it; `name` is without the destination."""

    name: str
    digest: Digest
    tags: tuple[str, ...]
    line: int


def read_images(file: str, text: str) -> tuple[tuple[Promoted, ...], tuple[Odd, ...]]:
    """Read an `images.yaml`; a file of comments only has no images, and that is not odd."""
    reader = _Reader(file)
    node = reader.parse(text)
    images = tuple(reader.images(node)) if node is not None else ()
    return images, tuple(reader.odd)


def read_destinations(
    file: str, text: str
) -> tuple[tuple[str, ...], tuple[Promoted, ...], tuple[Odd, ...]]:
    """Read a `promoter-manifest.yaml`: prefixes of registry.k8s.io, images in it, what was odd.

    The prefix of the root is ""; most images have one prefix, those of kubernetes and etcd two.
    """
    reader = _Reader(file)
    fields = reader.fields(reader.parse(text))
    prefixes = dict.fromkeys(reader.prefixes(fields.get("registries")))
    inside = fields.get("images")
    images = tuple(reader.images(inside)) if inside is not None else ()
    return tuple(prefixes), images, tuple(reader.odd)


def promoted_pins(
    file: str, images: Iterable[Promoted], prefixes: Iterable[str]
) -> tuple[tuple[PinEntry, ...], tuple[Odd, ...]]:
    """Make pins of what one file promotes to `prefixes`.

    The promoter itself refuses two digests for one tag, and to move a tag that is promoted. Where
    a file says it all the same, both digests are the owner's, so the pin has both: to choose one
    would make the other unobtainable. The last in the file is served.
    """
    images, prefixes = list(images), list(prefixes)
    odd = list(_shared(file, images))
    found: dict[tuple[str, str], list[Promoted]] = {}
    for image in images:
        for tag in image.tags:
            claims = found.setdefault((image.name, tag), [])
            if all(claim.digest != image.digest for claim in claims):
                claims.append(image)
    pins = []
    for (name, tag), claims in found.items():
        if len(claims) > 1:
            told = ", ".join(f"{claim.digest} on line {claim.line}" for claim in claims)
            odd.append(Odd(Oddity.TWO_DIGESTS, file, claims[-1].line, f"{name}:{tag} is {told}"))
        digests = tuple(claim.digest for claim in reversed(claims))
        for prefix in prefixes:
            repository = RepositoryName(f"{prefix}/{name}" if prefix else name)
            pins.append(PinEntry(REGISTRY, repository, tag, digests))
    return tuple(pins), tuple(odd)


def _shared(file: str, images: Iterable[Promoted]) -> Iterator[Odd]:
    names: dict[Digest, dict[str, int]] = {}
    untagged = 0
    for image in images:
        names.setdefault(image.digest, {}).setdefault(image.name, image.line)
        untagged += not image.tags
    if untagged:
        yield Odd(Oddity.UNTAGGED, file, 0, f"{untagged} of them")
    for digest, found in names.items():
        if len(found) > 1:
            told = ", ".join(found)
            yield Odd(Oddity.TWO_NAMES, file, max(found.values()), f"{digest} is {told}")


class _Reader:
    """Turns nodes into promoted images, noting what is odd on the way."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.odd: list[Odd] = []

    def parse(self, text: str) -> yaml.Node | None:
        try:
            node: yaml.Node | None = yaml.compose(text, Loader=_LOADER)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            self.note(Oddity.UNREADABLE, mark.line + 1 if mark else 0, "not YAML")
            return None
        return node

    def note(self, kind: Oddity, line: int, text: str) -> None:
        self.odd.append(Odd(kind, self.file, line, text))

    def images(self, node: yaml.Node) -> Iterator[Promoted]:
        for item in self.items(node):
            fields = self.fields(item)
            name = self._name(fields.get("name"), item)
            dmap = fields.get("dmap")
            if name is None or dmap is None:
                continue
            for key, value in self.pairs(dmap):
                try:
                    digest = Digest.parse(key.value if isinstance(key, yaml.ScalarNode) else "")
                except DigestInvalid as error:
                    self.note(Oddity.WRONG_NAME, _line(key), str(error))
                    continue
                yield Promoted(name, digest, tuple(self._tags(value)), _line(key))

    def prefixes(self, node: yaml.Node | None) -> Iterator[str]:
        for item in self.items(node) if node is not None else ():
            fields = self.fields(item)
            if _text(fields.get("src")) == "true":
                continue
            name = _text(fields.get("name"))
            match = _DESTINATIONS.fullmatch(name)
            try:
                if match is not None:
                    yield RepositoryName.parse(match[1]) if match[1] else ""
                    continue
            except NameInvalid:
                pass
            self.note(Oddity.UNKNOWN_DESTINATION, _line(item), name or "without a name")

    def items(self, node: yaml.Node) -> list[yaml.Node]:
        if isinstance(node, yaml.SequenceNode):
            return list(node.value)
        if _text(node) or not isinstance(node, yaml.ScalarNode):
            self.note(Oddity.UNREADABLE, _line(node), "a list is wanted")
        return []

    def pairs(self, node: yaml.Node) -> list[tuple[yaml.Node, yaml.Node]]:
        if isinstance(node, yaml.MappingNode):
            return list(node.value)
        if _text(node) or not isinstance(node, yaml.ScalarNode):
            self.note(Oddity.UNREADABLE, _line(node), "a mapping is wanted")
        return []

    def fields(self, node: yaml.Node | None) -> dict[str, yaml.Node]:
        return {_text(key): value for key, value in self.pairs(node)} if node is not None else {}

    def _name(self, node: yaml.Node | None, item: yaml.Node) -> str | None:
        try:
            return RepositoryName.parse(_text(node))
        except NameInvalid as error:
            self.note(Oddity.WRONG_NAME, _line(item), str(error))
            return None

    def _tags(self, node: yaml.Node) -> Iterator[str]:
        for item in self.items(node):
            try:
                yield str(Tag.parse(_text(item)))
            except TagInvalid as error:
                self.note(Oddity.WRONG_NAME, _line(item), str(error))


def _text(node: yaml.Node | None) -> str:
    return str(node.value) if isinstance(node, yaml.ScalarNode) else ""


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1
