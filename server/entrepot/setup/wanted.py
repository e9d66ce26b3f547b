"""What somebody wants of a client: which registries by way of which Entrepots, and how strictly."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from entrepot.setup.endpoint import Endpoint

_REGISTRY = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::[0-9]{1,5})?", re.ASCII)
_PATH = re.compile(r"(?:/[A-Za-z0-9._@+-]+)+", re.ASCII)
# Where the owner of a name really answers, for the two where that is another host.
_OWNERS = {"docker.io": "registry-1.docker.io", "k8s.gcr.io": "registry.k8s.io"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """One or more Entrepots, asked in this order, for these registries.

    `everything`: for all registries there are, where the client can be told so. `strict`: no way
    round the Entrepots. `ca`: a file on the node with the certificate that theirs is signed by.
    `ports`: registry -> a port of its own, for clients that name none in their requests (S-5).
    ValueError for what must not get into a file or a script.
    """

    endpoints: tuple[Endpoint, ...]
    registries: tuple[str, ...]
    everything: bool = False
    strict: bool = False
    ca: str | None = None
    ports: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.endpoints or not self.registries:
            raise ValueError("no mirror, or no registry to mirror")
        for registry in self.registries:
            if not _REGISTRY.fullmatch(registry):
                raise ValueError(f"not the name of a registry: {registry[:80]!r}")
        if self.ca is not None and (not _PATH.fullmatch(self.ca) or "/../" in f"{self.ca}/"):
            raise ValueError(f"not the absolute path of a plain file name: {self.ca[:80]!r}")
        if self.ca is not None and all(one.is_plain for one in self.endpoints):
            raise ValueError("a CA is for https:// mirrors")

    @property
    def last(self) -> Endpoint:
        """What is asked when the others have failed."""
        return self.endpoints[-1]

    def own_endpoint(self, registry: str) -> Endpoint | None:
        """The first Entrepot's port that means this registry alone; None when there is none."""
        port = self.ports.get(registry)
        return None if port is None else self.endpoints[0].with_port(port)


def owner_url(registry: str) -> str:
    """Where the registry itself is asked, as hosts.toml's `server`."""
    return f"https://{_OWNERS.get(registry, registry)}"
