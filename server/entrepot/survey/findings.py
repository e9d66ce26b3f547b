"""What was found out about one mirror, and about all of them for one image."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from entrepot.oci.digest import Digest
from entrepot.survey.asking import State
from entrepot.survey.wanted import Wanted
from entrepot.trust.fidelity import Fidelity
from entrepot.trust.level import Level
from entrepot.trust.pins import Pin


class Ranges(StrEnum):
    """What a mirror made of being asked for a part of a blob."""

    HONEST = "honest"
    IGNORED = "ignored"
    WRONG = "wrong"
    UNTRIED = "not tried"


@dataclass(frozen=True, slots=True)
class Transfer:
    """What a mirror did when asked for a layer; `sound` is None where only a part was read.

    `bytes_per_second` counts from the request on, so that a mirror that sleeps first is slow.
    `unpacked` is the digest of what the layer unpacks to, where it was read whole.
    """

    bytes: int = 0
    seconds: float = 0.0
    first_byte_s: float | None = None
    bytes_per_second: float | None = None
    sound: bool | None = None
    ranges: Ranges = Ranges.UNTRIED
    note: str = ""
    unpacked: Digest | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """One mirror. `digest` is what it says the tag means, `pinned` whether a pin allows that.

    `fidelity` is None where nothing vouches for what the owner has.
    """

    mirror: str
    place: int
    url: str
    authority: bool
    upstream: str
    route: str
    state: State
    note: str = ""
    seconds: float = 0.0
    digest: Digest | None = None
    pinned: bool | None = None
    fidelity: Fidelity | None = None
    detail: str = ""
    token_servers: tuple[str, ...] = ()
    transfer: Transfer = Transfer()

    @property
    def usable(self) -> bool:
        """Whether the image can be had of it as its owner made it, as far as can be told."""
        proved = self.fidelity is not None and self.fidelity.provable
        if self.state is not State.ANSWERS or self.transfer.sound is False:
            return False
        return proved or (self.fidelity is None and self.pinned is None)


@dataclass(frozen=True, slots=True)
class Examination:
    """One image on all mirrors of its registry.

    `digest` is what the tag means, `level` how well that is vouched for, and `vouched_by` who
    does: the place of the pin, or mirrors. All are empty where nobody does.
    """

    wanted: Wanted
    findings: tuple[Finding, ...]
    digest: Digest | None = None
    level: Level | None = None
    vouched_by: str = ""
    pin: Pin | None = None

    @property
    def usable(self) -> bool:
        """Whether there is a mirror at all that the image can be had of."""
        return any(finding.usable for finding in self.findings)
