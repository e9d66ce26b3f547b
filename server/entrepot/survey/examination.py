"""The mirrors of a registry, examined with one image: what `entrepot doctor` tells."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from yarl import URL

from entrepot.oci.descriptor import Descriptor
from entrepot.oci.manifest import Manifest, descriptors
from entrepot.oci.mediatype import is_index
from entrepot.survey.asking import Answered, ask_tag
from entrepot.survey.classing import Class, Classifier
from entrepot.survey.findings import Examination, Finding, Transfer
from entrepot.survey.official import find_official
from entrepot.survey.panel import Member, Panel, by_host
from entrepot.survey.route import route_text
from entrepot.survey.transfer import Sample, measure
from entrepot.survey.wanted import Wanted
from entrepot.trust.fidelity import Fidelity
from entrepot.trust.pins import Pin, Pins
from entrepot.upstream.proxy import environment_proxies

_PREFERRED = ("linux", "amd64")


@dataclass(frozen=True, slots=True)
class Examiner:
    """`environment` has the proxies of the environment; without `sample` no layer is fetched."""

    pins: Pins
    sample: Sample | None
    environment: Mapping[str, str] = field(default_factory=environment_proxies)

    async def examine(self, panel: Panel, wanted: Wanted) -> Examination:
        """Ask every mirror for the image, find out which copy each has, and how it gives it out.

        Tags are asked for at all hosts at once. Everything after is one after the other: copies
        are compared with what others have, and a measurement shares the line with nobody.
        """
        answers = await _answers(panel, wanted)
        pin = self.pins.pin(wanted.registry, wanted.repository, wanted.tag)
        official = await find_official(panel, wanted, pin, answers)
        classifier = Classifier(panel, wanted, official, self.pins)
        findings = [await self._finding(classifier, answer, pin) for answer in answers]
        return Examination(
            wanted,
            tuple(findings),
            official.digest if official else None,
            official.level if official else None,
            official.vouched_by if official else "",
            pin,
        )

    async def _finding(self, classifier: Classifier, answer: Answered, pin: Pin | None) -> Finding:
        member, manifest = answer.member, answer.manifest
        found, transfer = Class(None), Transfer()
        if manifest is not None:
            found = Class(Fidelity.VERBATIM)  # each of a pin's digests is the owner's
            if pin is None or not pin.allows(manifest.digest):
                found = await classifier.classify(member, manifest)
            image, layer = await self._largest(classifier, member, manifest)
            transfer = await self._transfer(classifier, member, layer)
            if image is not None and layer is not None and transfer.unpacked is not None:
                found = classifier.proved(found, image, layer, transfer.unpacked)
        settings = member.settings
        return Finding(
            mirror=member.name,
            place=member.place,
            url=settings.url,
            authority=settings.authority,
            upstream=_upstream(member, classifier.wanted),
            route=route_text(settings, self.environment),
            state=answer.state,
            note=answer.note,
            seconds=answer.seconds,
            digest=manifest.digest if manifest is not None else None,
            pinned=pin.allows(manifest.digest) if pin is not None and manifest else None,
            fidelity=found.fidelity,
            detail=found.detail,
            token_servers=member.client.token_servers,
            transfer=transfer,
        )

    async def _largest(
        self, classifier: Classifier, member: Member, manifest: Manifest
    ) -> tuple[Manifest | None, Descriptor | None]:
        """Find the layer to measure with, and the image that it belongs to."""
        if self.sample is None:
            return None, None
        image: Manifest | None = manifest
        if is_index(manifest.media_type):
            entry = _preferred(manifest)
            image = await classifier.child(member, entry) if entry is not None else None
        return image, _largest_layer(image) if image is not None else None

    async def _transfer(
        self, classifier: Classifier, member: Member, layer: Descriptor | None
    ) -> Transfer:
        if self.sample is None:
            return Transfer()
        if layer is None:
            return Transfer(note="no layer to measure with")
        repository = classifier.wanted.repository
        return await measure(classifier.panel, member, repository, layer, self.sample)


async def _answers(panel: Panel, wanted: Wanted) -> list[Answered]:
    """Ask all hosts at once, and each host for one thing at a time; in the order of settings."""

    async def ask_in_turn(members: Sequence[Member]) -> list[Answered]:
        return [await ask_tag(panel, member, wanted) for member in members]

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(ask_in_turn(members)) for members in by_host(panel.members)]
    answers = [answer for task in tasks for answer in task.result()]
    return sorted(answers, key=lambda answer: answer.member.place)


def _upstream(member: Member, wanted: Wanted) -> str:
    """Name the image as the mirror does."""
    host = URL(member.settings.url).authority
    if not member.client.carries(wanted.repository):
        return ""
    tag = member.settings.naming.tag(wanted.repository, wanted.tag)
    return f"{host}/{member.client.upstream_name(wanted.repository)}:{tag}"


def _preferred(index: Manifest) -> Descriptor | None:
    entries = [entry for entry in descriptors(index) if entry.platform is not None]
    for entry in entries:
        if entry.platform and (entry.platform.os, entry.platform.architecture) == _PREFERRED:
            return entry
    return entries[0] if entries else None


def _largest_layer(image: Manifest) -> Descriptor | None:
    """Choose what to measure with: the largest layer, or the configuration where there is none."""
    entries = [entry for entry in descriptors(image) if entry.size > 0 and not entry.inline]
    return max(entries[1:] or entries, key=lambda entry: entry.size, default=None)
