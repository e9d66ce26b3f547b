"""Which of the answers to a tag is the owner's, and where its bytes are."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from entrepot.oci.digest import Digest
from entrepot.oci.manifest import Manifest
from entrepot.survey.asking import Answered, fetch_manifest
from entrepot.survey.panel import Member, Panel
from entrepot.survey.wanted import Wanted
from entrepot.trust.level import Level
from entrepot.trust.pins import Pin
from entrepot.trust.repair import repair

_MOST_ASKED_BY_DIGEST = 2
_AGREEING = 2


@dataclass(frozen=True, slots=True)
class Official:
    """What a tag means; `manifest` is None where its bytes could not be had.

    `holders` may have what it points at, the likeliest first.
    """

    digest: Digest
    level: Level
    vouched_by: str
    manifest: Manifest | None = None
    holders: tuple[Member, ...] = ()


async def find_official(
    panel: Panel, wanted: Wanted, pin: Pin | None, answers: Sequence[Answered]
) -> Official | None:
    """Find the owner's manifest: the pin's, else its owner's answer, else what mirrors agree on.

    None when nobody vouches for anything. With a pin that no answer meets, the answers are written
    as the owner may have written them, and then at most two mirrors are asked by digest.
    """
    official = _pinned(pin, answers) if pin is not None else _said(answers)
    if official is None:
        return None
    holders = tuple(_holders(official.digest, answers))
    official = replace(official, holders=holders)
    if official.manifest is not None or pin is None:
        return official
    found = await asyncio.to_thread(_repaired, pin, answers)
    if found is None:
        found = await _by_digest(panel, wanted, official)
    return replace(official, manifest=found, digest=found.digest if found else official.digest)


def _pinned(pin: Pin, answers: Sequence[Answered]) -> Official:
    given = {one.manifest.digest: one.manifest for one in answers if one.manifest is not None}
    met = next((digest for digest in pin.digests if digest in given), pin.digest)
    return Official(met, Level.PIN, f"{pin.where} ({pin.source})", given.get(met))


def _said(answers: Sequence[Answered]) -> Official | None:
    given = [(one.member, one.manifest) for one in answers if one.manifest is not None]
    for member, manifest in given:
        if member.settings.authority:
            return Official(manifest.digest, Level.AUTHORITY, member.name, manifest)
    votes = Counter(manifest.digest for _, manifest in given).most_common(2)
    tied = len(votes) > 1 and votes[0][1] == votes[1][1]
    if not votes or votes[0][1] < _AGREEING or tied:
        return None
    digest = votes[0][0]
    agreeing = [(member, manifest) for member, manifest in given if manifest.digest == digest]
    names = ", ".join(member.name for member, _ in agreeing)
    return Official(digest, Level.AGREEMENT, names, agreeing[0][1])


def _holders(digest: Digest, answers: Sequence[Answered]) -> list[Member]:
    """Order those who answered: who has the very bytes first, then owners, then the others."""
    there = [one for one in answers if one.manifest is not None]
    there.sort(
        key=lambda one: (
            one.manifest is not None and one.manifest.digest != digest,
            not one.member.settings.authority,
            one.member.place,
        )
    )
    return [one.member for one in there]


def _repaired(pin: Pin, answers: Sequence[Answered]) -> Manifest | None:
    """Write the answers anew until one of them is what is pinned; for a thread."""
    for one in answers:
        if one.manifest is None:
            continue
        found = repair(one.manifest.body, pin.digests)
        if found is not None:
            return Manifest(found.digest, one.manifest.media_type, found.body)
    return None


async def _by_digest(panel: Panel, wanted: Wanted, official: Official) -> Manifest | None:
    for member in official.holders[:_MOST_ASKED_BY_DIGEST]:
        found = await fetch_manifest(panel, member, wanted.repository, official.digest)
        if found is not None:
            return found
    return None
