"""One question about a tag: mirrors are asked until `trust.decide` says what it means."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

import structlog

from entrepot.errors import (
    Attempt,
    Exhausted,
    ManifestUnknown,
    MirrorDiffers,
    MirrorLied,
    MirrorNotFound,
    MirrorSilent,
    Untrusted,
)
from entrepot.mirror.manifests import Manifests, first_part, title
from entrepot.mirror.names import ImageName
from entrepot.mirror.race import LAST_RESORT_PATIENCE_S, exhausted
from entrepot.mirror.registry import AskingOrder
from entrepot.mirror.restoring import Expected, any_of, from_tags
from entrepot.oci.digest import Digest
from entrepot.oci.manifest import Manifest
from entrepot.oci.mediatype import is_index
from entrepot.oci.reference import Tag
from entrepot.trust.decision import Question, decide
from entrepot.trust.pins import Pin
from entrepot.trust.policy import Rule
from entrepot.trust.repair import repair_child
from entrepot.trust.verdicts import Accept, Ask, Event, Keep, Reason, Refuse
from entrepot.trust.voting import Answer, Outcome
from entrepot.upstream.limits import Kind
from entrepot.upstream.mirror import MirrorClient

_SET_ASIDE = "not asked: it failed a moment ago"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Heard:
    """A manifest that a mirror gave or confirmed; `sent` is what it has where that is another.

    `how` is for people: that it was restored, or asked for by digest.
    """

    manifest: Manifest
    how: str = ""
    sent: Digest | None = None
    children: tuple[Manifest, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """What the tag means, with its bytes. `mirror` is who brought them, "" for the own cache."""

    decision: Accept | Keep
    heard: Heard
    mirror: str


@dataclass(slots=True)
class Inquiry:
    """Asked once. `held` is the manifest of `question.held`, if its bytes are here.

    `answers` and `attempts` tell afterwards who said what, and who could not. Mirrors whose breaker
    is open, or that were silent while others could be asked, are asked only when nothing can be
    decided without them.
    """

    manifests: Manifests
    image: ImageName
    tag: Tag
    question: Question
    held: Manifest | None
    deadline: float
    answers: dict[str, Answer] = field(default_factory=dict)
    attempts: list[Attempt] = field(default_factory=list)
    _clients: dict[str, MirrorClient] = field(default_factory=dict)
    _heard: dict[Digest, Heard] = field(default_factory=dict)
    _unheard: dict[str, bool] = field(default_factory=dict)
    """Who has not really been asked; True for silence within a shorter time than there was."""

    async def run(self) -> Accept | Keep | Refuse:
        """Ask until something is decided; Accept and Keep have bytes in `finding`, or had them."""
        order = self.manifests.order(self.image)
        self._clients = {one.name: one for one in (*order.usable, *order.last_resort)}
        if self.question.pin is None:  # a pin's bytes are asked of everybody, in one race
            for mirror in order.last_resort:
                self.answers[mirror.name] = Answer(mirror.name, Outcome.FAILED, detail=_SET_ASIDE)
                self._unheard[mirror.name] = False
        decision = await self._until_decided(patient=False)
        now = asyncio.get_running_loop().time()
        if not self._unheard or not _is_for_want_of_answers(decision) or now >= self.deadline:
            return decision
        if not any(self._unheard.values()) and len(self._unheard) < len(self._clients):
            self.deadline = min(self.deadline, now + LAST_RESORT_PATIENCE_S)
        for name in self._unheard:
            self.answers.pop(name, None)
        return await self._until_decided(patient=True)

    async def finding(self, decision: Accept | Keep) -> Finding:
        """Give the bytes for a decision; Exhausted where they are not to be had any more."""
        heard = self._heard.get(decision.digest)
        if heard is not None:
            return Finding(decision, heard, self._giver(decision.digest))
        if self.held is not None and self.held.digest == decision.digest:
            return Finding(decision, Heard(self.held), "")
        served = await self.manifests.get(self.image, decision.digest, self.deadline)
        return Finding(decision, Heard(served.manifest), served.mirror)

    def refusal(self, refuse: Refuse) -> Exhausted:
        """Make the error that a decision to serve nothing comes to."""
        name, attempts = title(self.image, self.tag), tuple(self.attempts)
        if refuse.reason is Reason.NOT_FOUND:
            gone = ", ".join(a.mirror for a in attempts if a.outcome == MirrorNotFound.outcome)
            return ManifestUnknown(f"{name}: not found on {gone}", attempts)
        if refuse.reason is Reason.UNAVAILABLE:
            error = exhausted(name, attempts, ManifestUnknown)
            # With digests in it a person can tell which image it was to be.
            if refuse.expected and type(error) is not ManifestUnknown:
                return type(error)(f"{error}; expected {_listed(refuse.expected)}", attempts)
            return error
        parts = [f"{name}: {refuse.reason}"]
        if refuse.expected:
            where = f" ({self.question.pin.where})" if self.question.pin is not None else ""
            parts.append(f"expected {_listed(refuse.expected)}{where}")
        parts += [self._told(answer) for answer in refuse.received]
        return Untrusted("; ".join(parts), attempts)

    def _told(self, answer: Answer) -> str:
        if answer.digest is None:
            return f"{answer.mirror}: {answer.detail or answer.outcome.value}"
        client = self._clients.get(answer.mirror)
        name = client.upstream_name(self.image.repository) if client is not None else ""
        return f"{answer.mirror}/{name} has {answer.sent or answer.digest}"

    def _giver(self, digest: Digest) -> str:
        given = (one.mirror for one in self.answers.values() if one.digest == digest)
        return next(given, "")

    async def _until_decided(self, *, patient: bool) -> Accept | Keep | Refuse:
        obtained = False
        while True:
            voters = self.question.voters
            given = tuple(self.answers[v.mirror] for v in voters if v.mirror in self.answers)
            decision = decide(replace(self.question, answers=given))
            match decision:
                case Ask(mirrors):
                    await self._ask(mirrors, patient=patient)
                case Accept(digest) if digest not in self._heard and self.question.pin is not None:
                    if obtained:
                        return Refuse(Reason.UNAVAILABLE, self.question.pin.digests, given)
                    obtained = True
                    here = await self._obtain(self.question.pin)
                    if here is not None:
                        return replace(decision, digest=here)
                case _:
                    return decision

    async def _ask(self, mirrors: Sequence[str], *, patient: bool) -> None:
        """Ask some mirrors by tag: one after the other until one answers, or all when many count.

        While others are left to ask, nobody is waited for longer than it takes to overtake twice.
        """
        now = asyncio.get_running_loop().time()
        many = len(mirrors) > 1 and Rule.AGREE in {s.rule for s in self.question.policy.tried}
        left = {name for name in self._clients if name not in self.answers}
        brief = not patient and (many or left > set(mirrors))
        until = min(self.deadline, now + 2 * self.manifests.overtake_s) if brief else self.deadline
        if not many:
            await self._race([self._clients[name] for name in mirrors], until, brief=brief)
            return
        async with asyncio.TaskGroup() as group:
            for name in mirrors:
                _ = group.create_task(self._race([self._clients[name]], until, brief=brief))

    async def _race(self, mirrors: list[MirrorClient], until: float, *, brief: bool) -> None:
        race = self.manifests.contest(
            self.image, AskingOrder(tuple(mirrors), ()), self._by_tag, until, Kind.TAG
        )
        won = await race.run()
        self.attempts += race.attempts
        self._failed(race.attempts, brief=brief)
        if won is not None:
            self._take(won.mirror.name, won.answer)
        elif not race.attempts or any(one.name not in self.answers for one in mirrors):
            self._give_up_on([one.name for one in mirrors], brief=brief)

    def _take(self, mirror: str, heard: Heard) -> None:
        digest = heard.manifest.digest
        known = self._heard.setdefault(digest, heard)
        if heard.children and not known.children:
            self._heard[digest] = heard
        self.answers[mirror] = Answer.of(mirror, digest, heard.how, heard.sent)

    def _failed(self, attempts: Collection[Attempt], *, brief: bool) -> None:
        for attempt in attempts:
            absent = attempt.outcome == MirrorNotFound.outcome
            outcome = Outcome.NOT_FOUND if absent else Outcome.FAILED
            if attempt.mirror not in self.answers:
                self.answers[attempt.mirror] = Answer(
                    attempt.mirror, outcome, detail=attempt.message
                )
            if attempt.outcome == MirrorSilent.outcome and brief:
                self._unheard[attempt.mirror] = True

    def _give_up_on(self, mirrors: Collection[str], *, brief: bool) -> None:
        """Nobody is asked for ever: whoever has not answered by now has failed."""
        for mirror in mirrors:
            if mirror not in self.answers:
                silent = Answer(mirror, Outcome.FAILED, detail="no answer in the time there was")
                self.answers[mirror] = silent
                if brief:
                    self._unheard[mirror] = True

    async def _obtain(self, pin: Pin) -> Digest | None:
        """Get what a pin says: from the own cache, by digest from anybody, by tag and restored.

        The digest of what is in the cache, else None: then there is an answer of each mirror asked.
        """
        for digest in pin.digests:
            manifest = await self.manifests.held(digest)
            if manifest is not None and await self.manifests.privacy.may_give(
                self.image.registry, digest
            ):
                self._heard[digest] = Heard(manifest)
                return digest

        order = self.manifests.order(self.image)
        by_digest = self.manifests.contest(
            self.image,
            order,
            lambda mirror: self._pinned_digest(mirror, pin),
            first_part(self.deadline),
            Kind.MANIFEST,
        )
        won = await by_digest.run()
        if won is None:
            by_tag = self.manifests.contest(
                self.image,
                order,
                lambda mirror: self._pinned_tag(mirror, pin),
                self.deadline,
                Kind.TAG,
            )
            won = await by_tag.run()
            self.attempts += by_tag.attempts
            self._failed(by_tag.attempts, brief=False)
        if won is not None:
            self._take(won.mirror.name, won.answer)
        else:
            self._give_up_on(self._clients, brief=False)
        return None

    async def _pinned_digest(self, mirror: MirrorClient, pin: Pin) -> Heard:
        missing = MirrorNotFound("not asked")
        for digest in pin.digests:
            try:
                manifest = await mirror.get_manifest(self.image.repository, digest)
            except MirrorNotFound as error:
                missing = error
                continue
            except MirrorLied as lie:
                registry = self.image.registry
                repository = self.image.repository
                self.manifests.ledger.lied(registry, repository, digest, mirror.name, str(lie))
                raise
            return Heard(manifest, "asked by digest")
        raise missing

    async def _pinned_tag(self, mirror: MirrorClient, pin: Pin) -> Heard:
        restored, received = await from_tags(
            self.manifests.restorer,
            mirror,
            self.image.repository,
            [self.tag],
            any_of(pin.digests),
        )
        if restored is not None:
            return Heard(restored.manifest, restored.how, restored.sent, restored.children)
        assert received is not None  # or from_tags had raised
        self._take(mirror.name, Heard(received))
        raise MirrorDiffers(f"not what the pin says: {received.digest} under this tag", status=200)

    async def _by_tag(self, mirror: MirrorClient) -> Heard:
        """Ask what the tag means there. HEAD first, which is free on Docker Hub (U-9).

        A header is believed when it names what is held: the bytes are here, and a liar gains
        nothing by confirming what is true.
        """
        repository, held = self.image.repository, self.held
        if held is not None:
            head = await mirror.head_manifest(repository, self.tag)
            if head.digest == held.digest:
                return Heard(held)
        received = await mirror.get_manifest(repository, self.tag)
        if held is None or received.digest == held.digest or mirror.authority:
            return Heard(received)
        return await self._as_held(mirror, received, held) or Heard(received)

    async def _as_held(
        self, mirror: MirrorClient, received: Manifest, held: Manifest
    ) -> Heard | None:
        """Recognise what is held in a copy of it that has another digest."""
        if is_index(held.media_type) and not is_index(received.media_type):
            child = await asyncio.to_thread(repair_child, held, received)
            if child is None:
                return None
            return Heard(held, "only one architecture of it is there", received.digest)
        restored = await self.manifests.restorer.restore(
            mirror, self.image.repository, received, Expected(frozenset({held.digest})), ask=False
        )
        return Heard(held, restored.how, restored.sent) if restored is not None else None


def _is_for_want_of_answers(decision: Accept | Keep | Refuse) -> bool:
    match decision:
        case Refuse(reason):
            return reason in {Reason.UNAVAILABLE, Reason.UNVERIFIED, Reason.PIN_NOT_MET}
        case Keep(confirmed=False, reports=reports):
            return any(report.event is Event.UNCONFIRMED for report in reports)
        case _:
            return False


def _listed(digests: Collection[Digest]) -> str:
    return " or ".join(map(str, digests))
