"""What is made of one version of the settings, and what is put in its place by the next.

The cache, the downloads in progress and the switch to go offline outlast a generation; whom to ask,
under which names, and who may have what do not. A request is answered by the generation that it
came in under. An old one is over when its last request, background check and download have ended.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import structlog

from entrepot.assembly import Lasting, make, services_of
from entrepot.config import Settings
from entrepot.mirror.mirrors import clients_of
from entrepot.mirror.prefetch import Means
from entrepot.tasks import TaskOwner
from entrepot.web.access import Access
from entrepot.web.entrance import Use
from entrepot.web.frontend import Services
from entrepot.web.passwords import Passwords
from entrepot.web.renewed import Renewed

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Generation:
    """One version of the settings at work; `use` counts the requests that it answers."""

    settings: Settings
    services: Services
    access: Access
    flights: TaskOwner
    stack: AsyncExitStack
    use: Use = field(default_factory=Use)

    @property
    def means(self) -> Means:
        """What images are fetched ahead with; asking for them counts as use."""
        services, deadline_s = self.services, self.settings.timeouts.headers
        return Means(services.names, services.tags, services.blobs, deadline_s, self.use)


@dataclass(slots=True)
class Generations:
    """Those that are alive. `aclose` ends them all, before what they use is closed."""

    lasting: Lasting
    _alive: list[Generation] = field(default_factory=list)
    _retiring: TaskOwner = field(default_factory=lambda: TaskOwner("old settings"))

    @property
    def current(self) -> Generation:
        """The one that answers new requests."""
        return self._alive[-1]

    def __len__(self) -> int:
        return len(self._alive)

    async def prepare(self, settings: Settings) -> Generation:
        """Make a generation that answers nobody yet.

        OSError, ValueError or PinsInvalid when a file that the settings name cannot be used;
        nothing is left then.
        """
        before = self.current.services.manifests.registries if self._alive else None
        async with AsyncExitStack() as stack:
            renewals = TaskOwner("passwords")
            stack.push_async_callback(renewals.aclose)
            access = await _access(settings, renewals)
            made = await make(self.lasting, settings, before)
            # from here on nothing waits, so nothing can fail and leave the clients open
            flights = TaskOwner("flights")
            stack.push_async_callback(flights.aclose)
            services = services_of(self.lasting, settings, made, flights, stack)
            return Generation(settings, services, access, flights, stack.pop_all())
        raise AssertionError("an exit stack hides nothing")

    def succeed(self, generation: Generation) -> None:
        """Let `generation` be the current one; the last one retires. There is no await in it."""
        self.lasting.follow(generation.settings, generation.services)
        self.lasting.ahead.follow(generation.means if generation.settings.look_ahead else None)
        self._alive.append(generation)
        if len(self._alive) > 1:
            before = self._alive[-2]
            _ = self._retiring.start(self._retire(before), name="retiring")

    async def aclose(self) -> None:
        """End every generation; the clients of mirrors stay open. Safe to call twice."""
        await self._retiring.aclose()
        while self._alive:
            await self._alive.pop().stack.aclose()

    async def _retire(self, generation: Generation) -> None:
        await generation.use.idle()
        await generation.flights.settled()
        mine = clients_of(generation.services.manifests.registries)
        others = [one for one in self._alive if one is not generation]
        in_use = [clients_of(one.services.manifests.registries) for one in others]
        unused = mine.difference(*in_use)
        await self.lasting.fills.released(unused)
        await generation.stack.aclose()
        await self.lasting.mirrors.close(unused)
        self._alive.remove(generation)
        log.info("settings.retired", mirrors=len(unused))


async def _access(settings: Settings, renewals: TaskOwner) -> Access:
    passwords = None
    if settings.auth.htpasswd is not None:
        users = Renewed([settings.auth.htpasswd], settings.auth.users)
        await users.load()
        _ = renewals.start(users.keep_fresh(), name="htpasswd")
        passwords = Passwords(lambda: users.value)
    for warning in settings.exposures():
        log.warning("settings.exposed", reason=warning)
    return Access(settings.private, settings.auth.required, passwords)
