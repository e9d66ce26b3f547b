"""The mirrors of a registry, ready to be asked; their limits are those of the settings."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from yarl import URL

from entrepot.config import MirrorSettings, Settings, TimeoutSettings
from entrepot.survey.manners import Manners
from entrepot.upstream.certificates import Certificates
from entrepot.upstream.gate import Gates
from entrepot.upstream.mirror import MirrorClient
from entrepot.upstream.outbound import Outbound


@dataclass(frozen=True, slots=True)
class Member:
    """One mirror; `place` counts from 1 in the order of the settings."""

    place: int
    settings: MirrorSettings
    client: MirrorClient

    @property
    def name(self) -> str:
        """How the settings and messages call it."""
        return self.settings.name


@dataclass(frozen=True, slots=True)
class Panel:
    """All mirrors of one registry, and what is common to the survey."""

    registry: str
    members: tuple[Member, ...]
    manners: Manners
    timeouts: TimeoutSettings


def by_host(members: Iterable[Member]) -> tuple[tuple[Member, ...], ...]:
    """Put mirrors together that are one host, which is asked for one thing at a time."""
    found: dict[str, tuple[Member, ...]] = {}
    for member in members:
        host = URL(member.settings.url).authority
        found[host] = (*found.get(host, ()), member)
    return tuple(found.values())


@asynccontextmanager
async def panels(
    settings: Settings, registries: Iterable[str], manners: Manners
) -> AsyncIterator[Mapping[str, Panel]]:
    """Open the mirrors of these registries; OSError when a file of their settings is gone."""
    gates, certificates = Gates(), Certificates()
    outbound = Outbound(offline=settings.offline)
    async with AsyncExitStack() as stack:
        found = {}
        for name in dict.fromkeys(registries):
            members = []
            for place, mirror in enumerate(settings.registries[name].mirrors, start=1):
                client = MirrorClient(
                    name,
                    mirror,
                    settings.timeouts,
                    gates,
                    outbound=outbound,
                    certificates=certificates,
                )
                await client.start()
                stack.push_async_callback(client.aclose)
                members.append(Member(place, mirror, client))
            found[name] = Panel(name, tuple(members), manners, settings.timeouts)
        yield found
