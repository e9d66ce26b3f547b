"""Images chosen to be taken out of a cache: all of each, or a reason why not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from entrepot.archive.writing import Outgoing
from entrepot.cli.adminclient import AdminClient, Document, Misused, NotFound
from entrepot.cli.platforms import matches
from entrepot.oci.digest import Digest
from entrepot.oci.manifest import Manifest, read_manifest
from entrepot.oci.mediatype import is_schema1


@dataclass(frozen=True, slots=True)
class Problem:
    """Why an image cannot be taken; `missing` are digests and sizes, -1 where nobody knows."""

    name: str
    reason: str
    missing: tuple[tuple[str, int], ...] = ()
    absent: bool = False

    def document(self) -> dict[str, object]:
        """Tell it to programs."""
        missing = [{"digest": digest, "size": size} for digest, size in self.missing]
        return {"name": self.name, "reason": self.reason, "missing": missing}


class Taking:
    """Chooses; `platforms` empty means what is here. `left_out` tells what was not."""

    def __init__(self, client: AdminClient, platforms: Sequence[str]) -> None:
        self._client = client
        self._platforms = platforms
        self.left_out: list[tuple[str, str]] = []

    def choose(self, names: Sequence[str]) -> tuple[list[Outgoing], list[Problem]]:
        """Look at every image, so that all problems are told at once."""
        chosen: dict[str, Outgoing] = {}
        problems: list[Problem] = []
        for name in names:
            try:
                told = self._client.get("/v1/images/one", name=name)
            except NotFound as error:
                problems.append(Problem(name, error.message, absent=True))
                continue
            except Misused as error:
                problems.append(Problem(name, error.message))
                continue
            wanted, found = self._wanted(told)
            found += self._not_as_pinned(told)
            problems += found
            if not found:
                chosen[told["name"]] = self._outgoing(told, wanted)
        return list(chosen.values()), problems

    def _not_as_pinned(self, told: Document) -> list[Problem]:
        """Object to what is not served by this name either: who takes it asks nobody any more."""
        name, digest = told["name"], told["digest"]
        asked: Document = {"digest": digest, "names": [name]}
        [verdict] = self._client.ask("POST", "/v1/import/plan", body=asked)["names"]
        if not verdict["pinned"]:
            return []
        repository = str(name).removesuffix(f":{told['reference']}")
        return [
            Problem(
                name,
                f"{name} is known to be {verdict['pinned']}, and here it is {digest}, which is not"
                f" served by this name either: `entrepot prefetch {name}` brings the right one;"
                f" {repository}@{digest} can be exported",
            )
        ]

    def add(self, chosen: list[Outgoing], names: Sequence[str]) -> list[Problem]:
        """Take as many of `names` as can be; tells the others."""
        more, problems = self.choose(names)
        here = {each.name for each in chosen}
        chosen += [each for each in more if each.name not in here]
        return problems

    def _wanted(self, told: Document) -> tuple[list[Document], list[Problem]]:
        name, states = told["name"], told["platforms"]
        if is_schema1(told["media_type"]):
            return [], [Problem(name, "a schema 1 manifest, which no OCI layout can have")]
        if not self._platforms:
            wanted = [state for state in states if state["here"]]
            absent = [state["platform"] or "?" for state in states if not state["here"]]
            if absent and wanted:
                self.left_out.append((name, ", ".join(absent)))
        else:
            wanted = [s for s in states if any(matches(p, s["platform"]) for p in self._platforms)]
            for platform in self._platforms:
                if not any(matches(platform, state["platform"]) for state in states):
                    has = ", ".join(state["platform"] or "?" for state in states)
                    return [], [Problem(name, f"it has no {platform}, but {has or 'nothing'}")]
            order = {platform: rank for rank, platform in enumerate(self._platforms)}
            wanted.sort(key=lambda s: min(order[p] for p in order if matches(p, s["platform"])))
        problems = [_incomplete(name, state) for state in wanted if not state["complete"]]
        if not wanted:
            problems = [_incomplete(name, state) for state in states]
        return wanted, problems

    def _outgoing(self, told: Document, wanted: Sequence[Document]) -> Outgoing:
        root = self._manifest(str(told["digest"]), str(told["media_type"]))
        listed = [str(state["manifest"]) for state in wanted]
        return Outgoing(
            name=str(told["name"]),
            root=root,
            manifests=tuple(
                root if digest == str(root.digest) else self._manifest(digest) for digest in listed
            ),
        )

    def _manifest(self, digest: str, media_type: str | None = None) -> Manifest:
        body = b"".join(self._client.pieces(f"/v1/blobs/{digest}"))
        return read_manifest(body, media_type, expected=Digest.parse(digest))


def _incomplete(name: str, state: Document) -> Problem:
    missing = tuple((str(each["digest"]), int(each["size"])) for each in state["missing"])
    return Problem(name, f"{state['platform'] or 'it'} is not complete here", missing)
