"""Whether a name and password are right, without letting anybody burn our time with them."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import bcrypt
import structlog

from entrepot.errors import TooManyFailures

_MOST_BYTES = 72
"""bcrypt looks at no more, and `htpasswd` cuts there as well."""
_MOST_KNOWN = 4096
_AT_A_TIME = 2
FAILURES = 10
WINDOW_S = 60.0
"""So many wrong passwords an address may send in that time."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Claim:
    """What a client says of itself."""

    user: str
    password: str = field(repr=False)


def read_basic(header: str) -> Claim | None:
    """Read a value of Authorization; None when it is no Basic login (RFC 7617)."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        pair = base64.b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError):
        return None
    try:
        text = pair.decode()
    except UnicodeDecodeError:
        text = pair.decode("latin-1")
    user, colon, password = text.partition(":")
    # Nobody with no password is what podman says without a login: no guess, which would be counted.
    return Claim(user, password) if colon and (user or password) else None


class Passwords:
    """Checks claims against bcrypt hashes, in threads; remembers outcomes by a keyed hash.

    Nothing here tells, by an answer or by its time, whether a user exists. A claim that was right
    once is right without bcrypt until the hash of its user changes, also for an address that has
    used up its failures: others behind the same address may be guessing.
    """

    def __init__(self, users: Callable[[], Mapping[str, bytes]]) -> None:
        """`users` gives the hash of each name, as of now; never none at all."""
        self._users = users
        self._key = secrets.token_bytes(32)
        self._known: OrderedDict[bytes, bool] = OrderedDict()
        self._failures: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self._room = asyncio.Semaphore(_AT_A_TIME)

    async def are_right(self, claim: Claim, address: str) -> bool:
        """Whether `claim`, from `address`, is right; TooManyFailures when it is not looked at."""
        users = self._users()
        hashed = users.get(claim.user)
        # An unknown user's password is held against somebody else's hash, for the same time.
        against = hashed if hashed is not None else next(iter(users.values()))
        key = self._keyed(claim, against, known=hashed is not None)
        outcome = self._known.get(key)
        if outcome is None:
            self._check_failures(address)
            async with self._room:
                outcome = self._known.get(key)
                if outcome is None:
                    same = await asyncio.to_thread(_matches, claim.password, against)
                    outcome = same and hashed is not None
                    self._remember(key, outcome=outcome)
                    if not outcome:  # said again it is no guess, and costs nothing
                        self._failed(address)
        else:
            self._known.move_to_end(key)
        return outcome

    def _keyed(self, claim: Claim, against: bytes, *, known: bool) -> bytes:
        parts = (claim.user.encode(), claim.password.encode(), against, b"1" if known else b"0")
        lengths = b",".join(str(len(part)).encode() for part in parts)
        return hmac.digest(self._key, lengths + b"".join(parts), hashlib.sha256)

    def _remember(self, key: bytes, *, outcome: bool) -> None:
        self._known[key] = outcome
        while len(self._known) > _MOST_KNOWN:
            self._known.popitem(last=False)

    def _check_failures(self, address: str) -> None:
        count, since = self._failures.get(address, (0, 0.0))
        left_s = since + WINDOW_S - asyncio.get_running_loop().time()
        if count >= FAILURES and left_s > 0:
            raise TooManyFailures(
                "too many wrong passwords came from your address", retry_after_s=left_s
            )

    def _failed(self, address: str) -> None:
        now = asyncio.get_running_loop().time()
        count, since = self._failures.pop(address, (0, now))
        if now - since > WINDOW_S:
            count, since = 0, now
        self._failures[address] = (count + 1, since)
        if count + 1 == FAILURES:
            log.warning("clients.guessing", client=address, failures=FAILURES, seconds=WINDOW_S)
        while len(self._failures) > _MOST_KNOWN:
            self._failures.popitem(last=False)


def _matches(password: str, hashed: bytes) -> bool:
    try:
        return bcrypt.checkpw(password.encode()[:_MOST_BYTES], hashed)
    except ValueError:
        return False
