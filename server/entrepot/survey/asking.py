"""One mirror's answer to one question, whatever it is."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from entrepot.errors import (
    AttemptError,
    BlockPage,
    MirrorDenied,
    MirrorFailed,
    MirrorLied,
    MirrorNotFound,
    MirrorOffline,
    MirrorSilent,
    MirrorThrottled,
    MirrorUnreachable,
)
from entrepot.oci.digest import Digest
from entrepot.oci.manifest import Manifest
from entrepot.oci.reference import RepositoryName
from entrepot.survey.panel import Member, Panel
from entrepot.survey.wanted import Wanted
from entrepot.upstream.limits import Kind

T = TypeVar("T")


class State(StrEnum):
    """What came of asking a mirror for a tag."""

    ANSWERS = "answers"
    NO_TAG = "no such tag"
    NOT_CARRIED = "not carried"
    BLOCK_PAGE = "block page"
    DENIED = "denied"
    THROTTLED = "throttled"
    UNREACHABLE = "unreachable"
    SILENT = "silent"
    WRONG = "wrong answer"
    FAILED = "failed"
    OFFLINE = "offline"
    NOT_ASKED = "not asked"


_STATES: tuple[tuple[type[AttemptError], State], ...] = (
    (BlockPage, State.BLOCK_PAGE),
    (MirrorLied, State.WRONG),
    (MirrorNotFound, State.NO_TAG),
    (MirrorDenied, State.DENIED),
    (MirrorThrottled, State.THROTTLED),
    (MirrorUnreachable, State.UNREACHABLE),
    (MirrorSilent, State.SILENT),
    (MirrorOffline, State.OFFLINE),
    (MirrorFailed, State.FAILED),
)


@dataclass(frozen=True, slots=True)
class Answered:
    """What a mirror said of a tag; `manifest` exactly when it ANSWERS, `note` says why not."""

    member: Member
    state: State
    manifest: Manifest | None = None
    note: str = ""
    seconds: float = 0.0


def state_of(error: AttemptError) -> State:
    """Put an error into one word."""
    return next((state for kind, state in _STATES if isinstance(error, kind)), State.FAILED)


async def ask_tag(panel: Panel, member: Member, wanted: Wanted) -> Answered:
    """Ask for the manifest of a tag: one request, or none where it would be one too many."""
    client = member.client
    if not client.carries(wanted.repository):
        told = "the settings say that it has no such repository"
        return Answered(member, State.NOT_CARRIED, note=told)
    if why := panel.manners.refusal(member.settings.url):
        return Answered(member, State.NOT_ASKED, note=why)
    loop = asyncio.get_running_loop()
    await panel.manners.turn(client, Kind.TAG)
    began = loop.time()
    try:
        manifest = await patiently(
            panel, member, lambda: client.get_manifest(wanted.repository, wanted.tag)
        )
    except AttemptError as error:
        return Answered(member, state_of(error), None, str(error), loop.time() - began)
    return Answered(member, State.ANSWERS, manifest, "", loop.time() - began)


async def fetch_manifest(
    panel: Panel, member: Member, repository: RepositoryName, digest: Digest
) -> Manifest | None:
    """Fetch a manifest that a mirror's own answer named; None when it is not to be had."""
    if panel.manners.refusal(member.settings.url, Kind.MANIFEST):
        return None
    await panel.manners.turn(member.client, Kind.MANIFEST)
    try:
        return await patiently(
            panel, member, lambda: member.client.get_manifest(repository, digest)
        )
    except AttemptError:
        return None


async def patiently(panel: Panel, member: Member, ask: Callable[[], Awaitable[T]]) -> T:
    """Ask as long as a client would wait; AttemptError, of which the manners have heard."""
    patience_s = panel.timeouts.headers
    try:
        try:
            async with asyncio.timeout(patience_s):
                return await ask()
        except TimeoutError as error:
            raise member.client.silence(patience_s) from error
    except AttemptError as error:
        panel.manners.note(member.settings.url, error)
        raise
