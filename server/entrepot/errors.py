"""The one exception tree; `entrepot.web.errors` holds the one table from it to HTTP.

    EntrepotError
    ├── RequestError             the client asked for something that cannot be
    │   ├── NameInvalid          not a repository name (spec "Pulling manifests", rule S-9)
    │   ├── NameUnknown          not a registry or repository we serve (rule S-6)
    │   ├── TagInvalid
    │   ├── DigestInvalid
    │   ├── RangeNotSatisfiable  start at or past the end (rule T-8)
    │   ├── RangeUnsupported     more ranges than we answer (rules P-4, L-7)
    │   ├── Unsupported          an operation this registry never performs (N-4)
    │   ├── NotHere              an image that somebody wants to do something to
    │   ├── NotListed            a list this registry does not keep (M-4)
    │   ├── BodyTooLarge         a request with more of a body than anybody needs
    │   ├── SetupInvalid         settings for a node that cannot be made
    │   ├── Unauthenticated      only for clients that say who they are (P27)
    │   └── TooManyFailures      wrong passwords from one address
    ├── AttemptError             what one mirror did, once; carried inside an `Exhausted`
    │   ├── MirrorNotFound       a real 404 under the full Accept set (rule U-1)
    │   ├── MirrorUnreachable    refused, reset, no route, no name, TLS failure
    │   ├── MirrorSilent         nothing came for too long
    │   ├── MirrorDenied         401 or 403 after the token flow (P15: often means "not found")
    │   ├── MirrorThrottled      429, or our own limit for that mirror
    │   ├── MirrorFailed         any other status that is not an answer
    │   ├── MirrorLied           an answer that cannot be true: wrong length, wrong digest, …
    │   │   ├── OtherLength      a blob of another length than was known
    │   │   └── BlockPage        a web page where a registry should be
    │   ├── MirrorDiffers        an answer, but other bytes than the ones that are known to be right
    │   └── MirrorOffline        not asked: Entrepot is offline
    ├── Exhausted                no mirror is left to ask; `attempts` says how each ended
    │   ├── ManifestUnknown      every mirror said 404
    │   ├── BlobUnknown          every mirror said 404
    │   ├── AllThrottled         at least one mirror would have answered, later
    │   ├── AllFailed            unreachable, silent, denied or lying, in any mixture
    │   ├── Untrusted            mirrors answered, and nothing of it may be what the tag means
    │   └── Offline              it is not here, and nobody may be asked
    │       └── Incomplete       part of it is here: the image is refused at its manifest
    ├── SignatureRefused         an image that is not signed as the settings want it
    ├── ArchiveInvalid           a file with images that cannot be read, or is not to be trusted
    ├── TransferBroken           the bytes promised to this reader will not come; cut the connection
    └── StoreError               the disk
        ├── DiskFull
        ├── NoRoom               within our own limits, and nothing may go
        ├── Corrupt              bytes on disk are not what their name says
        ├── StoreLocked          another process uses the cache directory
        └── StoreTooNew          a later version of this program wrote the cache

Library exceptions are translated where the library is called (`raise ... from error`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


class EntrepotError(Exception):
    """Anything this program raises on purpose; `str()` of it is fit for a person."""


class RequestError(EntrepotError):
    """The client asked for something that cannot be, whatever the mirrors say."""


class NameInvalid(RequestError):
    """Not a repository name."""


class NameUnknown(RequestError):
    """Not a registry, or not a repository, that this server serves."""


class TagInvalid(RequestError):
    """Not a tag."""


class DigestInvalid(RequestError):
    """Not a digest of a known algorithm."""


class RangeNotSatisfiable(RequestError):
    """The range starts at or past the end of the blob."""

    def __init__(self, size: int) -> None:
        """`size` is the whole blob's length in bytes, for the Content-Range header."""
        super().__init__(f"the blob has {size} bytes")
        self.size = size


class RangeUnsupported(RequestError):
    """More than one range, or more than we answer: the client retries with fewer (P-4)."""


class Unsupported(RequestError):
    """An operation that this registry never performs."""


class NotHere(RequestError):
    """What somebody wants to look at or remove is not in the cache."""


class NotListed(RequestError):
    """A list that this registry does not keep."""


class BodyTooLarge(RequestError):
    """A request with a body, which none that we answer has."""


class SetupInvalid(RequestError):
    """Settings for a node are asked for that cannot be made."""


class Unauthenticated(RequestError):
    """What is asked for is only for clients that say who they are (P27)."""


class TooManyFailures(RequestError):
    """So many wrong passwords came from one address that no more are looked at for a while."""

    def __init__(self, message: str, *, retry_after_s: float = 60.0) -> None:
        """`retry_after_s` is seconds from now."""
        super().__init__(message)
        self.retry_after_s = retry_after_s


class AttemptError(EntrepotError):
    """What one mirror did, once. `status` is its HTTP status when there was one.

    `elsewhere` is the host that failed when it was not the mirror's own but one that the mirror led
    to. `asked` is False when it was our own decision and nothing was sent.
    """

    outcome = "failed"

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.elsewhere = ""
        self.asked = True


class MirrorNotFound(AttemptError):
    """A real 404 under the full Accept set."""

    outcome = "not found"


class MirrorUnreachable(AttemptError):
    """Refused, reset, no route, no such name, TLS failure."""

    outcome = "unreachable"


class MirrorSilent(AttemptError):
    """Nothing came for too long."""

    outcome = "silent"


class MirrorDenied(AttemptError):
    """401 or 403 after the token flow."""

    outcome = "denied"


class MirrorThrottled(AttemptError):
    """429, or our own limit for that mirror. `retry_after_s` is seconds from now, when told."""

    outcome = "throttled"

    def __init__(
        self, message: str, *, status: int | None = None, retry_after_s: float | None = None
    ) -> None:
        super().__init__(message, status=status)
        self.retry_after_s = retry_after_s


class MirrorFailed(AttemptError):
    """Any other status that is not an answer."""

    outcome = "failed"


class MirrorLied(AttemptError):
    """An answer that cannot be true: HTML for a manifest, a wrong length, a wrong digest."""

    outcome = "wrong answer"


class OtherLength(MirrorLied):
    """A blob of another length than was known, perhaps only from another mirror."""


class BlockPage(MirrorLied):
    """A web page came where a registry should be: of a network that blocks, or wants a login."""


class MirrorDiffers(AttemptError):
    """Something else under the name than what is known to be right, and no way to make that of it.

    No fault of the mirror's health: many copy images in ways that change their digest.
    """

    outcome = "another digest"


class MirrorOffline(AttemptError):
    """Not asked: Entrepot is offline."""

    outcome = "offline"

    def __init__(self, message: str = "not asked: Entrepot is offline") -> None:
        super().__init__(message)
        self.asked = False


@dataclass(frozen=True, slots=True)
class Attempt:
    """One mirror's part in a request, as told to the client in the error's `detail`."""

    mirror: str
    repository: str
    outcome: str
    message: str
    status: int | None = None
    elapsed_ms: int = 0
    retry_after_s: float | None = None


class Exhausted(EntrepotError):
    """No mirror is left to ask. `attempts` is in the order they were started."""

    def __init__(self, message: str, attempts: Sequence[Attempt] = ()) -> None:
        super().__init__(message)
        self.attempts = tuple(attempts)


class ManifestUnknown(Exhausted):
    """Every mirror said 404 to a manifest."""


class BlobUnknown(Exhausted):
    """Every mirror said 404 to a blob."""


class AllThrottled(Exhausted):
    """Nobody answered now, but at least one mirror asked us to come back."""

    @property
    def retry_after_s(self) -> float:
        """Seconds until the earliest mirror may be asked again; 30 when none said."""
        known = [a.retry_after_s for a in self.attempts if a.retry_after_s is not None]
        return min(known, default=30.0)


class AllFailed(Exhausted):
    """Nobody answered, and not because everybody said 404."""


class Untrusted(Exhausted):
    """Mirrors answered, but neither pin nor policy lets any of it be what the tag means."""


class Offline(Exhausted):
    """It is not here, and Entrepot is offline."""


class Incomplete(Offline):
    """Part of an image is here, Entrepot is offline, and half a pull is worse than none."""

    def __init__(self, message: str, detail: Mapping[str, object] | None = None) -> None:
        """`detail` is JSON for programs: what is missing, platform by platform."""
        super().__init__(message)
        self.detail = dict(detail or {})


class SignatureRefused(EntrepotError):
    """An image is not signed as the settings want it. `found` is a line for each signature seen."""

    def __init__(self, message: str, found: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.found = tuple(found)


class ArchiveInvalid(EntrepotError):
    """A file that should have images in it cannot be read, or is not to be trusted."""


class TransferBroken(EntrepotError):
    """The bytes promised to this reader will not come: the connection must be cut (T-3)."""


class StoreError(EntrepotError):
    """The disk refused."""


class DiskFull(StoreError):
    """No space, or quota exceeded."""


class NoRoom(StoreError):
    """The limit of the cache is reached, and all that is in it is kept or in use."""


class Corrupt(StoreError):
    """Bytes on disk are not what their name says."""


class StoreLocked(StoreError):
    """Another process uses the cache directory; the message names it."""


class StoreTooNew(StoreError):
    """A later version of this program wrote the cache, in a way this one cannot read."""
