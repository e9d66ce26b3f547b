"""What is in an archive, brought to a cache: asked about, sent, named when all of it is there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from entrepot.archive.carried import Carried, Part
from entrepot.archive.contents import Pieces
from entrepot.archive.reading import Archive
from entrepot.cli.adminclient import AdminClient, Misused
from entrepot.errors import ArchiveInvalid
from entrepot.oci.digest import Digest

_BATCH = 2000


@dataclass(slots=True)
class Brought:
    """What became of one image: `names` under which it is there, `problems` with the others."""

    image: Carried
    names: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    there: int = 0
    registry: str = ""

    def document(self, file: str) -> dict[str, object]:
        """Tell it to programs."""
        return {
            "file": file,
            "names": self.names,
            "digest": str(self.image.root.digest),
            "digest_kept": not self.image.rewritten,
            "blobs": len(self.image.parts),
            "bytes": self.image.size,
            "blobs_there_before": self.there,
            "lacking": [str(each) for each in self.image.lacking],
            "problems": self.problems,
        }


class Bringing:
    """One archive on its way; the methods in their order. `names` instead of those in it."""

    def __init__(
        self,
        client: AdminClient,
        archive: Archive,
        names: Sequence[str] | None = None,
        *,
        despite_pins: bool = False,
    ) -> None:
        self._client = client
        self._archive = archive
        self._names = names
        self._despite_pins = despite_pins
        self._images: list[Brought] = []
        self._wanted: dict[Digest, tuple[Part, str]] = {}

    @property
    def wanted_bytes(self) -> int:
        """How much has to be sent."""
        return sum(part.size for part, _ in self._wanted.values())

    def ask(self) -> None:
        """Ask which names can be, and which blobs need not be sent."""
        for carried in self._archive.images:
            self._images.append(self._judged(carried))
        taken = [one for one in self._images if one.names]
        parts = {part.digest: (part, one.registry) for one in taken for part in one.image.parts}
        held = self._held(list(map(str, parts)))
        self._wanted = {digest: told for digest, told in parts.items() if str(digest) not in held}
        for one in taken:
            one.there = sum(str(part.digest) in held for part in one.image.parts)

    def bring_blobs(self, done: Callable[[int], None]) -> None:
        """Send what is not there, in the order of the file; ArchiveInvalid when it is damaged."""
        for part, pieces in self._archive.blobs(part for part, _ in self._wanted.values()):
            _, registry = self._wanted[part.digest]
            path, query = f"/v1/blobs/{part.digest}", {"registry": registry}
            try:
                self._client.bring(path, query, _counted(pieces, done), part.size)
            except Misused as error:
                raise ArchiveInvalid(error.message) from error

    def name_images(self) -> Iterator[Brought]:
        """Give the images their names; each is told when it has them."""
        for one in self._images:
            names, one.names = one.names, []
            for name in names:
                *below, root = one.image.manifests
                for manifest in below:
                    self._bring_manifest(name, manifest.digest, manifest.body, manifest.media_type)
                self._bring_manifest(name, root.digest, root.body, root.media_type, named="")
                one.names.append(name)
            yield one

    def _judged(self, carried: Carried) -> Brought:
        one = Brought(carried)
        digest = carried.root.digest
        names = list(self._names if self._names is not None else carried.names)
        if not names:
            one.problems.append(
                f"the image {digest} has no name in the file: give it one with --as"
            )
            return one
        told = self._client.ask(
            "POST", "/v1/import/plan", body={"digest": str(digest), "names": names}
        )
        for verdict in told["names"]:
            if verdict["refused"]:
                one.problems.append(f"{verdict['told']}: {verdict['refused']}")
            elif verdict["pinned"] and not self._despite_pins:
                one.problems.append(_pinned(verdict["name"], verdict["pinned"], carried))
            elif verdict["name"] not in one.names:
                one.names.append(verdict["name"])
                one.registry = one.registry or verdict["registry"]
        return one

    def _held(self, digests: Sequence[str]) -> set[str]:
        held: set[str] = set()
        left = iter(digests)
        while batch := list(islice(left, _BATCH)):
            held |= set(self._client.ask("POST", "/v1/import/plan", body={"blobs": batch})["held"])
        return held

    def _bring_manifest(
        self, name: str, digest: Digest, body: bytes, media_type: str, named: str | None = None
    ) -> None:
        query = {"name": name, "type": media_type, "named": named}
        self._client.bring(f"/v1/manifests/{digest}", query, [body], len(body))


def _counted(pieces: Pieces, done: Callable[[int], None]) -> Iterator[bytes]:
    for piece in pieces:
        yield piece
        done(len(piece))


def _pinned(name: str, pinned: str, carried: Carried) -> str:
    what = "that is not what is in the file"
    if carried.rewritten:
        what = "what saved it has unpacked its layers, and so the file has another manifest"
    return (
        f"{name} is known to be {pinned}, and {what}: {carried.root.digest}."
        " `ctr images export`, `skopeo copy` and `entrepot export` keep digests;"
        " --despite-pins takes it all the same: it can be pulled by its own digest, by this name"
        " only once the settings under `trust` let it"
    )
