"""The clients of all mirrors, over the changes of the settings."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from entrepot.config import Settings
from entrepot.metrics import Metrics
from entrepot.mirror.registry import Registry
from entrepot.upstream.certificates import Certificates
from entrepot.upstream.gate import Gates
from entrepot.upstream.mirror import MirrorClient
from entrepot.upstream.outbound import Outbound

Registries = dict[str, Registry]


@dataclass(slots=True)
class Mirrors:
    """Opens clients and closes them; `aclose` closes those that are left.

    What is allowed of a mirror's host, and has been used up of it, outlasts its clients.
    """

    outbound: Outbound
    metrics: Metrics
    _open: list[MirrorClient] = field(default_factory=list)
    _gates: Gates = field(default_factory=Gates)

    async def registries(
        self, settings: Settings, before: Mapping[str, Registry] | None = None
    ) -> Registries:
        """Make the registries of `settings`; nothing is sent.

        A mirror that is as it was in `before` keeps its client, with what is known of its health.
        OSError when a file that a mirror needs cannot be read; nothing new is left open then.
        """
        made: Registries = {}
        certificates = Certificates()
        begun: list[MirrorClient] = []
        try:
            for name, registry in settings.registries.items():
                old = before[name].mirrors if before is not None and name in before else ()
                clients = []
                for mirror in registry.mirrors:
                    client = next((o for o in old if o.fits(mirror, settings.timeouts)), None)
                    if client is None:
                        client = MirrorClient(
                            name,
                            mirror,
                            settings.timeouts,
                            self._gates,
                            outbound=self.outbound,
                            certificates=certificates,
                            metrics=self.metrics,
                        )
                        begun.append(client)
                        await client.start()
                    clients.append(client)
                ttl_s = settings.tags.ttl if registry.tag_ttl is None else registry.tag_ttl
                made[name] = Registry(name, tuple(clients), ttl_s)
        except BaseException:
            await _close(begun)
            raise
        self._open += begun
        return made

    async def close(self, clients: Collection[MirrorClient]) -> None:
        """Close some, which nobody asks any more."""
        await _close(clients)
        self._open = [one for one in self._open if one not in clients]

    async def aclose(self) -> None:
        """Close all, the last opened first."""
        await self.close(self._open[::-1])


def clients_of(registries: Mapping[str, Registry]) -> frozenset[MirrorClient]:
    """Tell every client that these registries may ask."""
    return frozenset(client for registry in registries.values() for client in registry.mirrors)


async def _close(clients: Iterable[MirrorClient]) -> None:
    for client in clients:
        await client.aclose()
