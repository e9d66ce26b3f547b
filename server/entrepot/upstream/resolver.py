"""Looking up names where a dead name server holds up nothing else."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Sequence

from aiohttp.abc import AbstractResolver, ResolveResult


class Resolver(AbstractResolver):
    """The system's resolver, each question on a daemon thread of its own.

    With the link down a question takes the system many seconds, and cannot be cancelled. On the
    loop's own executor that would use up the threads that the disk needs, and at the end keep the
    process from leaving (P28). The connector asks one question for each host at a time.
    """

    def __init__(self, first: socket.AddressFamily | None = None) -> None:
        """Addresses of the family `first` are told before the others."""
        self._first = first

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Tell the addresses of `host`; OSError when there are none."""
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[list[ResolveResult]] = loop.create_future()

        def look_up() -> None:
            outcome: list[ResolveResult] | OSError
            try:
                outcome = _look_up(host, port, family)
            except OSError as error:
                outcome = error
            except Exception as error:  # noqa: BLE001 - unreported, it would be waited for in vain
                # A name that cannot be written as one: UnicodeError.
                outcome = OSError(f"not a host name: {error}")
            _report(loop, answered, outcome)

        threading.Thread(target=look_up, name=f"resolve {host}", daemon=True).start()
        return _sorted(await answered, self._first)

    async def close(self) -> None:
        """Leave running questions to themselves."""


class PinnedResolver(AbstractResolver):
    """Knows one answer to every question."""

    def __init__(self, addresses: Sequence[str], first: socket.AddressFamily | None = None) -> None:
        """Addresses of the family `first` are told before the others."""
        self._addresses = tuple(addresses)
        self._first = first

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Tell the pinned addresses of `family`; OSError when there is none of it."""
        found = [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for address in self._addresses
        ]
        found = [one for one in found if family in {socket.AF_UNSPEC, one["family"]}]
        if not found:
            raise OSError(f"no pinned address for {host}")
        return _sorted(found, self._first)

    async def close(self) -> None:
        """Nothing is open."""


def _sorted(found: list[ResolveResult], first: socket.AddressFamily | None) -> list[ResolveResult]:
    """Put one family first and leave the order within it; the connector begins with that one."""
    return sorted(found, key=lambda one: one["family"] != first) if first is not None else found


def _report(
    loop: asyncio.AbstractEventLoop,
    answered: asyncio.Future[list[ResolveResult]],
    outcome: list[ResolveResult] | OSError,
) -> None:
    def settle() -> None:
        if answered.done():
            return
        if isinstance(outcome, OSError):
            answered.set_exception(outcome)
        else:
            answered.set_result(outcome)

    if not loop.is_closed():
        loop.call_soon_threadsafe(settle)


def _look_up(host: str, port: int, family: socket.AddressFamily) -> list[ResolveResult]:
    found: list[ResolveResult] = []
    for kind, _, protocol, _, address in socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, family=family, flags=socket.AI_ADDRCONFIG
    ):
        # Numbers only: nothing is looked up again, but a link-local address keeps its zone.
        numeric, service = socket.getnameinfo(
            address, socket.NI_NUMERICHOST | socket.NI_NUMERICSERV
        )
        found.append(
            ResolveResult(
                hostname=host,
                host=numeric,
                port=int(service),
                family=kind,
                proto=protocol,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
        )
    return found
