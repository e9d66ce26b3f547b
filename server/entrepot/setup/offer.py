"""What a server has to say at /setup/: its registries, and the pages made from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from entrepot.setup.client import CLIENTS
from entrepot.setup.doctor import doctor_script
from entrepot.setup.endpoint import Endpoint
from entrepot.setup.script import setup_script
from entrepot.setup.wanted import Wanted

PREFIX = "/setup"
DOCTOR = "node-doctor"

_INDEX = """\
Settings for a node, from the Entrepot at {url}. On the node, as root:

{lines}

Each first sees whether this mirror answers, shows what it changes, keeps what was there, and may be
run again. Undone by the same with   | sh -s -- --remove   and tried with   | sh -s -- --dry-run .
What is wrong on a node, and the commands that mend it:

    curl -fsSL {url}{prefix}/{doctor}.sh | sh

After the name there may be, as in {url}{prefix}/containerd.sh?strict&registry=docker.io:

    strict             never ask the registry itself, where that is blocked
    default            all registries there are, where the client can be told so
    registry=NAME      only this one; may be repeated. Served: {served}
    mirror=ADDRESS     another Entrepot to ask after this one; may be repeated
    ca=/PATH           the file on the node with the CA of an https:// mirror
"""


@dataclass(frozen=True, slots=True)
class Offer:
    """`registries` with their aliases; `ports` as in `Wanted`."""

    registries: tuple[str, ...]
    ports: Mapping[str, int] = field(default_factory=dict)

    def page(self, name: str, at: Endpoint, query: Mapping[str, Sequence[str]]) -> str | None:
        """Make the page below `PREFIX`, for a client that came to us `at`; None for no such page.

        ValueError when the query asks for what cannot be.
        """
        if name in ("", "/"):
            return self._index(at)
        stem = name.removeprefix("/").removesuffix(".sh")
        if f"/{stem}.sh" != name:
            return None
        if stem == DOCTOR:
            return doctor_script(self._wanted(at, query))
        client = CLIENTS.get(stem)
        return None if client is None else setup_script(client, self._wanted(at, query))

    def _wanted(self, at: Endpoint, query: Mapping[str, Sequence[str]]) -> Wanted:
        if strange := set(query) - {"strict", "default", "registry", "mirror", "ca"}:
            raise ValueError(f"no such setting: {', '.join(sorted(strange))[:80]}")
        asked = tuple(dict.fromkeys(query.get("registry", ())))
        if unknown := set(asked) - set(self.registries):
            raise ValueError(f"not served here: {', '.join(sorted(unknown))[:80]}")
        return Wanted(
            (at, *map(Endpoint.parse, query.get("mirror", ()))),
            asked or self.registries,
            everything=_is_on(query, "default"),
            strict=_is_on(query, "strict"),
            ca=query["ca"][0] if "ca" in query else None,
            ports=self.ports,
        )

    def _index(self, at: Endpoint) -> str:
        lines = (f"    curl -fsSL {at.url}{PREFIX}/{name}.sh | sh" for name in CLIENTS)
        return _INDEX.format(
            url=at.url,
            prefix=PREFIX,
            doctor=DOCTOR,
            lines="\n".join(lines),
            served=", ".join(self.registries),
        )


def _is_on(query: Mapping[str, Sequence[str]], name: str) -> bool:
    return name in query and query[name][0] not in ("0", "no", "false")
