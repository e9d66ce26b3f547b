"""What mirrors say of tags that are pinned: `entrepot pins check`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from entrepot.errors import AttemptError
from entrepot.oci.digest import Digest
from entrepot.survey.asking import State, patiently, state_of
from entrepot.survey.panel import Member, Panel, by_host
from entrepot.survey.wanted import Wanted
from entrepot.trust.pins import Pin
from entrepot.upstream.limits import Kind


@dataclass(frozen=True, slots=True)
class Compared:
    """What one mirror says of one pinned tag; a mere word, which the bytes would have to prove."""

    wanted: Wanted
    pin: Pin
    mirror: str
    state: State
    digest: Digest | None = None
    note: str = ""

    @property
    def right(self) -> bool | None:
        """Whether it says what is pinned; None where it says nothing."""
        return None if self.digest is None else self.pin.allows(self.digest)


async def compare_with_pins(panel: Panel, pinned: Mapping[Wanted, Pin]) -> tuple[Compared, ...]:
    """Ask every mirror of a registry for what is pinned, tag after tag, with HEAD.

    All hosts at once, each host for one thing at a time; no more of a host that refuses.
    """

    async def ask_in_turn(members: Sequence[Member]) -> list[Compared]:
        return [
            await _compared(panel, member, wanted, pin)
            for wanted, pin in pinned.items()
            for member in members
        ]

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(ask_in_turn(members)) for members in by_host(panel.members)]
    return tuple(one for task in tasks for one in task.result())


async def _compared(panel: Panel, member: Member, wanted: Wanted, pin: Pin) -> Compared:
    client, name = member.client, member.name
    if not client.carries(wanted.repository):
        return Compared(wanted, pin, name, State.NOT_CARRIED)
    if why := panel.manners.refusal(member.settings.url):
        return Compared(wanted, pin, name, State.NOT_ASKED, note=why)
    await panel.manners.turn(client, Kind.TAG)

    async def ask() -> Digest:
        head = await client.head_manifest(wanted.repository, wanted.tag)
        if head.digest is not None:
            return head.digest
        return (await client.get_manifest(wanted.repository, wanted.tag)).digest

    try:
        digest = await patiently(panel, member, ask)
    except AttemptError as error:
        return Compared(wanted, pin, name, state_of(error), note=str(error))
    return Compared(wanted, pin, name, State.ANSWERS, digest)
