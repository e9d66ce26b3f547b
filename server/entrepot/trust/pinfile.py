"""The text of a file of pins: YAML of one shape, one image a line.

    schema: 1
    source: kubernetes/k8s.io registry.k8s.io/images/k8s-staging-etcd/images.yaml @042770b5
    date: 2025-09-30
    pins:
      registry.k8s.io/etcd:3.5.0-0: sha256:9ce33ba3…
      registry.k8s.io/twice:1.0: [sha256:…, sha256:…]

Any YAML reader understands it, but here it is read line by line: PyYAML needs seconds for a
hundred thousand pins. Anything else that would be YAML is refused, with its line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from entrepot.errors import EntrepotError, NameInvalid
from entrepot.oci.digest import Digest
from entrepot.oci.reference import RepositoryName

SCHEMA = "1"
DIGEST_BYTES = 32
LINE_BYTES = 4

# The line of the file, then one SHA-256 after the other: a third of the memory of objects.
Record: TypeAlias = bytes

_DIGEST = r"sha256:([0-9a-f]{64})"
_PIN = re.compile(
    r'  ("?)([^\s"]+):([A-Za-z0-9_][A-Za-z0-9._-]{0,127})\1:'
    rf" +(?:{_DIGEST}|\[([^\]#]*)\])(?: +#.*)?\r?\n?"
)
_ONE_DIGEST = re.compile(_DIGEST)
_HEAD = re.compile(r"(schema|source|date|pins):(?: +(.*))?")
_REGISTRY = re.compile(r"(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:]+\])(?::[0-9]{1,5})?")
_SHOWN_PROBLEMS = 20


class PinsInvalid(EntrepotError):
    """Pins that cannot be used; `problems` has every mistake as `file:line: what is wrong`."""

    def __init__(self, problems: Sequence[str]) -> None:
        shown = [*problems[:_SHOWN_PROBLEMS]]
        if len(problems) > _SHOWN_PROBLEMS:
            shown.append(f"and {len(problems) - _SHOWN_PROBLEMS} more")
        super().__init__("\n".join(shown))
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class PinEntry:
    """One pin to be written. `digests` has the one to be served first, then its alternatives.

    `note` becomes a comment at the end of the line; whoever reads the file does not read it.
    """

    registry: str
    repository: RepositoryName
    tag: str
    digests: tuple[Digest, ...]
    note: str = ""

    @property
    def image(self) -> str:
        """The name as written: registry/repository:tag."""
        return f"{self.registry}/{self.repository}:{self.tag}"


@dataclass(frozen=True, slots=True)
class PinFile:
    """One file's pins, by `registry/repository` and tag, with what the file says of itself."""

    name: str
    source: str = ""
    date: str = ""
    tags: Mapping[str, Mapping[str, Record]] = field(default_factory=dict)

    def __len__(self) -> int:
        return sum(len(tags) for tags in self.tags.values())

    def __iter__(self) -> Iterator[PinEntry]:
        for name, tags in self.tags.items():
            registry, _, repository = name.partition("/")
            for tag, record in tags.items():
                yield PinEntry(registry, RepositoryName(repository), tag, unpack(record))

    def where(self, record: Record) -> str:
        """Tell the place of a record as `file:line`."""
        return f"{self.name}:{line_of(record)}"


def unpack(record: Record) -> tuple[Digest, ...]:
    """Take the digests out of a record."""
    hexadecimal = record[LINE_BYTES:].hex()
    step = 2 * DIGEST_BYTES
    return tuple(
        Digest("sha256", hexadecimal[start : start + step])
        for start in range(0, len(hexadecimal), step)
    )


def line_of(record: Record) -> int:
    """Tell the line that a record was read from, counted from 1."""
    return int.from_bytes(record[:LINE_BYTES], "big")


def read_pin_file(name: str, lines: Iterable[str]) -> PinFile:
    """Read a file's lines (an open file will do); PinsInvalid with every mistake there is."""
    reader = _Reader(name)
    reader.read(lines)
    return reader.finish()


def write_pin_file(
    entries: Iterable[PinEntry], *, source: str, date: str, comment: Sequence[str] = ()
) -> str:
    """Write pins so that the same pins are always the same text, whatever their order.

    Versions are sorted as numbers, 3.9 before 3.10. ValueError for a digest other than SHA-256.
    """
    head = [*(f"# {line}".rstrip() for line in comment)]
    head += [f"schema: {SCHEMA}", f"source: {_plain(source)}", f"date: {_plain(date)}"]
    ordered = sorted(entries, key=_sort_key)
    if not ordered:
        return "\n".join([*head, "pins: {}", ""])
    return "\n".join([*head, "pins:", *map(_write_pin, ordered), ""])


def _write_pin(entry: PinEntry) -> str:
    if not entry.digests or any(digest.algorithm != "sha256" for digest in entry.digests):
        raise ValueError(f"{entry.image}: a pin is made of SHA-256 digests")
    key = f'"{entry.image}"' if entry.registry.startswith("[") else entry.image
    texts = [str(digest) for digest in entry.digests]
    value = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    note = f"  # {_plain(entry.note)}" if entry.note else ""
    return f"  {key}: {value}{note}"


def _sort_key(entry: PinEntry) -> tuple[str, str, list[tuple[int, int, str]], str]:
    parts = [
        (0, int(part), "") if part.isdecimal() else (1, 0, part)
        for part in re.split(r"([0-9]{1,18})", entry.tag)
    ]
    return entry.registry, entry.repository, parts, entry.tag


def _plain(text: str) -> str:
    """Make a text fit for one line of YAML without quotes."""
    return " ".join(text.replace(": ", " ").replace(" #", " ").split())


class _Reader:
    def __init__(self, name: str) -> None:
        self.name = name
        self.head: dict[str, str] = {}
        self.tags: dict[str, dict[str, Record]] = {}
        self.problems: list[str] = []
        self._began = False

    def read(self, lines: Iterable[str]) -> None:
        """Take in all lines; most are pins like those before, and are made short work of."""
        match, tags_of, fromhex = _PIN.fullmatch, self.tags.get, bytes.fromhex
        for number, line in enumerate(lines, start=1):
            found = match(line)
            if found is None or not self._began:
                self._read_other(number, line.rstrip("\r\n"))
                continue
            _, name, tag, one, several = found.groups()
            tags = tags_of(name)
            if tags is None or tag in tags or one is None:
                self._read_new(number, name, tag, fromhex(one) if one else _several(several))
            else:
                tags[tag] = number.to_bytes(LINE_BYTES, "big") + fromhex(one)

    def _read_new(self, number: int, name: str, tag: str, digests: bytes) -> None:
        try:
            tags = self.tags.get(name)
            if tags is None:
                tags = self.tags[_checked(name)] = {}
        except ValueError as error:
            self._complain(number, str(error))
            return
        if not digests:
            what = "the brackets want different digests, sha256:… each, with commas between"
            self._complain(number, what)
        elif tag in tags:
            self._complain(number, f"{name}:{tag} stands on line {line_of(tags[tag])} already")
        else:
            tags[tag] = number.to_bytes(LINE_BYTES, "big") + digests

    def _read_other(self, number: int, line: str) -> None:
        text = line.strip()
        if not text or text.startswith("#"):
            return
        match = _HEAD.fullmatch(line)
        if match is None:
            wanted = "REGISTRY/REPOSITORY:TAG: sha256:DIGEST, two spaces in front, after `pins:`"
            self._complain(number, f"not a pin; each is {wanted}")
            return
        key, value = match[1], (match[2] or "").strip()
        if key in self.head:
            self._complain(number, f"{key} is given twice")
        if key == "schema" and value != SCHEMA:
            self._complain(number, f"schema {value}: this version reads schema {SCHEMA} only")
        if key == "pins" and value not in ("", "{}"):
            self._complain(number, "pins begin on the next line")
        self.head[key] = value
        self._began |= key == "pins"

    def finish(self) -> PinFile:
        self.problems += [
            f"{self.name}: `{key}:` is missing"
            for key in ("schema", "pins")
            if key not in self.head
        ]
        if self.problems:
            raise PinsInvalid(self.problems)
        head = self.head
        return PinFile(self.name, head.get("source", ""), head.get("date", ""), self.tags)

    def _complain(self, number: int, message: str) -> None:
        self.problems.append(f"{self.name}:{number}: {message}")


def _checked(name: str) -> str:
    registry, slash, repository = name.partition("/")
    if not slash or not _REGISTRY.fullmatch(registry):
        raise ValueError(f"{name!r} does not begin with a registry, as registry.k8s.io/pause does")
    try:
        RepositoryName.parse(repository)
    except NameInvalid as error:
        raise ValueError(str(error)) from error
    return name


def _several(text: str) -> bytes:
    """Read what stands in brackets; nothing when it is not a list of different digests."""
    parts = [part.strip() for part in text.split(",")]
    matches = [_ONE_DIGEST.fullmatch(part) for part in parts]
    found = [match[1] for match in matches if match]
    if len(found) < len(parts) or len(set(found)) < len(found):
        return b""
    return bytes.fromhex("".join(found))
