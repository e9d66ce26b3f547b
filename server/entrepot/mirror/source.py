"""The mirrors as sources for one blob: what each may be asked for, how it has done so far."""

from __future__ import annotations

from dataclasses import dataclass

from entrepot.errors import (
    AttemptError,
    MirrorDenied,
    MirrorFailed,
    MirrorLied,
    MirrorNotFound,
    OtherLength,
)
from entrepot.mirror.registry import AskingOrder, asking_order
from entrepot.mirror.setaside import SetAside
from entrepot.mirror.wanted import Wanted
from entrepot.upstream.mirror import MirrorClient

_FIRST_REST_S = 0.25
_LONGEST_REST_S = 10.0
_OTHER_LENGTH = "says that it is of another length"


@dataclass(slots=True)
class Source:
    """State for the length of one fill. `rate` is bytes a second, None until measured.

    `given_up` is why it is not asked again in this fill: it has not got the blob, or lied.
    """

    client: MirrorClient
    busy: int = 0
    rate: float | None = None
    given_up: str = ""
    whole_only: bool = False
    rests_until: float = 0.0
    _failures: int = 0

    @property
    def name(self) -> str:
        """The mirror's."""
        return self.client.name

    def usable(self, now: float) -> bool:
        """Whether it may be asked now, by what it did in this fill, its health and its limit."""
        if self.given_up or now < self.rests_until or self.client.spent(now):
            return False
        return self.client.health.available(now)

    def free(self, now: float) -> bool:
        """Whether it may take one more part now."""
        return self.usable(now) and not self.whole_only and self.busy < self.client.streams

    def measured(self, count: int, seconds: float) -> None:
        """Take in that `count` bytes took so long; recent transfers count most."""
        if seconds > 0:
            latest = count / seconds
            self.rate = latest if self.rate is None else (self.rate + latest) / 2
        self.moved()

    def moved(self) -> None:
        """Note that some bytes came: its next rest is a short one again."""
        self._failures = 0

    def failed(self, error: AttemptError, now: float) -> None:
        """Decide what a failure means for the rest of this fill."""
        match error:
            case MirrorNotFound():
                self.given_up = "has not got it"
            case MirrorLied():
                self.given_up = "sent something else"
            case MirrorDenied():
                self.given_up = "refuses it"
            case MirrorFailed() if "ignores ranges" in str(error):
                self.whole_only = True
            case _:
                self._rest(now)

    def contradicted(self, error: OtherLength) -> MirrorFailed:
        """Ask it no more as long as that length counts which only another mirror has told.

        Who is right the whole blob will show, so it is no lie for now.
        """
        self.given_up = _OTHER_LENGTH
        return MirrorFailed(f"{error}, as another mirror says", status=error.status)

    def forgive(self) -> None:
        """Ask it again: that length was wrong, or may have been."""
        if self.given_up == _OTHER_LENGTH:
            self.given_up = ""

    def _rest(self, now: float) -> None:
        rest_s = min(_FIRST_REST_S * 2**self._failures, _LONGEST_REST_S)
        self._failures += 1
        self.rests_until = now + rest_s


class Sources:
    """All mirrors that carry the repository, in configured order, for the length of one fill."""

    def __init__(self, wanted: Wanted, set_aside: SetAside) -> None:
        self._wanted = wanted
        self._set_aside = set_aside
        self._by_name = {
            mirror.name: Source(mirror)
            for mirror in wanted.registry.mirrors
            if mirror.carries(wanted.repository)
        }

    def __getitem__(self, mirror: str) -> Source:
        return self._by_name[mirror]

    @property
    def exhausted(self) -> bool:
        """Whether nobody is left who may be asked again."""
        return all(source.given_up for source in self._by_name.values())

    @property
    def patience_s(self) -> float:
        """How long the slowest to begin of those still asked may take, by its settings."""
        asked = (s.client.patience_s or 0.0 for s in self._by_name.values() if not s.given_up)
        return max(asked, default=0.0)

    def rest_s(self, now: float) -> float:
        """How long until somebody may be asked again, by what they did in this fill."""
        asked = [s for s in self._by_name.values() if not s.given_up]
        return max(0.0, min((s.rests_until for s in asked), default=now) - now)

    def doubted(self, now: float) -> frozenset[str]:
        """Those who sent other bytes for this digest once."""
        return self._set_aside.mirrors(self._wanted.digest, tuple(self._by_name), now)

    def doubt(self, mirror: str, now: float) -> None:
        """Ask `mirror` only as a last resort in the next fills."""
        self._set_aside.put(self._wanted.digest, mirror, now)

    def ready(self, now: float) -> list[Source]:
        """Those who may be asked for a part now, were they not busy."""
        doubted = self.doubted(now)
        spared = self._spared()
        return [
            source
            for source in self._by_name.values()
            if source.name not in doubted
            and source.name not in spared
            and source.usable(now)
            and not source.whole_only
        ]

    def _spared(self) -> frozenset[str]:
        """Name those that are for manifests, as long as anybody else may have the blob."""
        asked = [s for s in self._by_name.values() if not s.given_up]
        spared = frozenset(s.name for s in asked if not s.client.gives_blobs)
        return spared if len(spared) < len(asked) else frozenset()

    def forgive(self) -> None:
        """Nobody has said how long the blob is any more: see `Source.forgive`."""
        for source in self._by_name.values():
            source.forgive()

    def others(self, mirror: str) -> list[str]:
        """Those who may be asked what `mirror` sent."""
        return [s.name for s in self._by_name.values() if s.name != mirror and not s.given_up]

    def order(self, now: float) -> AskingOrder:
        """Whom to ask for the next bytes when nobody is sending any."""
        return asking_order(
            self._wanted.registry.mirrors,
            self._wanted.repository,
            now,
            prefer=self._wanted.prefer,
            without=[s.name for s in self._by_name.values() if s.given_up],
            later=[
                s.name
                for s in self._by_name.values()
                if s.rests_until > now or not s.client.gives_blobs
            ],
            doubted=self.doubted(now),
        )
