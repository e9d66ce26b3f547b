"""Leaving a mirror alone for as long as it asked for when it answered 429."""

from __future__ import annotations

from entrepot.errors import AttemptError, MirrorThrottled
from entrepot.upstream.limits import Kind, own_limit
from entrepot.upstream.request import Question

LONGEST_S = 3600.0
"""Then it is asked once more, whatever it said: one request an hour is no burden."""
UNTOLD_S = 1.0
"""For a 429 that says nothing about when to come back."""

_Group = tuple[str, Kind]


class Rests:
    """Of one mirror; `now` is monotonic seconds.

    A breaker only puts a mirror behind the others, and the only one is asked all the same. Here it
    is not: what it refused is not sent, nor anything of that method about manifests, about blobs or
    about lists. The rest is not meant: a registry that counts pulls has blobs to give, and HEADs.
    """

    def __init__(self) -> None:
        self._until: dict[_Group, float] = {}

    def __repr__(self) -> str:
        return f"<Rests {self._until}>"

    def see(self, question: Question, error: AttemptError, now: float) -> None:
        """Note how a question ended."""
        if isinstance(error, MirrorThrottled) and error.asked and not error.elsewhere:
            wait_s = UNTOLD_S if error.retry_after_s is None else error.retry_after_s
            self._until[_group(question)] = now + min(wait_s, LONGEST_S)

    def check(self, question: Question, now: float) -> None:
        """Return if it may be asked, else raise MirrorThrottled without asking."""
        wait_s = self._until.get(_group(question), now) - now
        if wait_s > 0:
            told = f"answered 429 before; to be asked again in {max(1.0, wait_s):.0f} s"
            raise own_limit(told, wait_s)


def _group(question: Question) -> _Group:
    kind = Kind.MANIFEST if question.kind is Kind.TAG else question.kind
    return question.method, kind
