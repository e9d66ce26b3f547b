"""Every error has its place in the one table, and its answer tells what was tried."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from entrepot import errors
from entrepot.errors import (
    AllFailed,
    AllThrottled,
    Attempt,
    AttemptError,
    BlobUnknown,
    EntrepotError,
    ManifestUnknown,
    NameUnknown,
    RangeNotSatisfiable,
    StoreError,
    TransferBroken,
    Unsupported,
)
from entrepot.oci.errorcode import ErrorCode
from entrepot.web.errors import TABLE, error_reply

SILENT = Attempt("a.example", "pause", "silent", "no answer within 2.0 s", None, 2000)
REFUSED = Attempt("b.example", "k8s/pause", "unreachable", "connection refused", None, 1)
DENIED = Attempt("c.example", "pause", "denied", "HTTP 403", 403, 20)
LATER = Attempt("d.example", "pause", "throttled", "HTTP 429", 429, 20, 7.4)


def tree(cls: type[EntrepotError]) -> Iterator[type[EntrepotError]]:
    yield cls
    for child in cls.__subclasses__():
        yield from tree(child)


OURS = [cls for cls in tree(EntrepotError) if cls.__module__ == errors.__name__]


def example(cls: type[EntrepotError]) -> EntrepotError:
    return RangeNotSatisfiable(10) if cls is RangeNotSatisfiable else cls("what happened")


EXPECTED = {
    "NameInvalid": (400, "NAME_INVALID"),
    "NameUnknown": (404, "NAME_UNKNOWN"),
    "TagInvalid": (400, "TAG_INVALID"),
    "DigestInvalid": (400, "DIGEST_INVALID"),
    "RangeNotSatisfiable": (416, "UNSUPPORTED"),
    "RangeUnsupported": (400, "UNSUPPORTED"),
    "Unsupported": (405, "UNSUPPORTED"),
    "NotListed": (404, "UNSUPPORTED"),
    "NotHere": (404, "NAME_UNKNOWN"),
    "BodyTooLarge": (413, "UNSUPPORTED"),
    "SetupInvalid": (400, "UNSUPPORTED"),
    "Unauthenticated": (401, "UNAUTHORIZED"),
    "TooManyFailures": (429, "TOOMANYREQUESTS"),
    "ManifestUnknown": (404, "MANIFEST_UNKNOWN"),
    "BlobUnknown": (404, "BLOB_UNKNOWN"),
    "AllThrottled": (503, "TOOMANYREQUESTS"),
    "AllFailed": (502, "UNAVAILABLE"),
    "Untrusted": (502, "DENIED"),
    "Incomplete": (503, "UNAVAILABLE"),
    "SignatureRefused": (403, "DENIED"),
    "ArchiveInvalid": (400, "UNSUPPORTED"),
    "TransferBroken": (502, "UNAVAILABLE"),
    "DiskFull": (503, "UNAVAILABLE"),
    "NoRoom": (503, "UNAVAILABLE"),
    "Corrupt": (503, "UNAVAILABLE"),
    "StoreLocked": (503, "UNAVAILABLE"),
    "StoreTooNew": (503, "UNAVAILABLE"),
}


@pytest.mark.rule("E-2", "E-4", "N-4")
@pytest.mark.parametrize("cls", OURS, ids=lambda cls: cls.__name__)
def test_every_error_has_a_status_and_a_code(cls: type[EntrepotError]) -> None:
    reply = error_reply(example(cls))
    (told,) = json.loads(reply.body)["errors"]
    assert told["code"] in set(ErrorCode)
    assert told["message"] == str(example(cls))
    assert reply.headers["Content-Type"] == "application/json"
    if cls.__name__ in EXPECTED:
        assert (reply.status, told["code"]) == EXPECTED[cls.__name__]


def test_every_leaf_of_the_tree_is_written_down() -> None:
    """What one mirror did is never answered as such: it stands inside an Exhausted."""
    parents = {parent for cls in OURS for parent in cls.__mro__[1:]}
    leaves = {cls.__name__ for cls in OURS if cls not in parents}
    attempts = {cls.__name__ for cls in tree(AttemptError)}
    assert leaves - attempts == set(EXPECTED)


@pytest.mark.parametrize("cls", sorted(TABLE, key=str), ids=lambda cls: cls.__name__)
def test_an_error_nobody_thought_of_goes_with_its_parent(cls: type[EntrepotError]) -> None:
    if cls is RangeNotSatisfiable:
        return
    novel = type("Novel", (cls,), {})
    assert error_reply(novel("new")).status == error_reply(example(cls)).status


@pytest.mark.rule("E-2")
@pytest.mark.parametrize(
    ("attempts", "status"),
    [
        ((SILENT,), 504),
        ((SILENT, REFUSED), 504),
        ((REFUSED,), 502),
        ((SILENT, DENIED), 502),
        ((), 502),
    ],
)
def test_slow_is_504_and_broken_is_502(attempts: tuple[Attempt, ...], status: int) -> None:
    assert error_reply(AllFailed("no mirror could answer", attempts)).status == status


@pytest.mark.rule("E-2", "N-4")
@pytest.mark.parametrize(("agent", "status"), [("skopeo/1.9.3", 429), ("containerd/1.6", 503)])
def test_throttled(agent: str, status: int) -> None:
    error = AllThrottled("throttled", (LATER, DENIED))
    reply = error_reply(error, user_agent=agent)
    assert (reply.status, reply.headers["Retry-After"]) == (status, "7")


@pytest.mark.rule("E-2")
@pytest.mark.parametrize("retry_after_s", [0.0, 0.2, -3.0])
def test_coming_back_at_once_is_never_suggested(retry_after_s: float) -> None:
    attempt = Attempt("d.example", "pause", "throttled", "HTTP 429", 429, 0, retry_after_s)
    assert error_reply(AllThrottled("throttled", (attempt,))).headers["Retry-After"] == "1"


@pytest.mark.rule("P31", "E-4")
@pytest.mark.parametrize("cls", [AllFailed, AllThrottled, ManifestUnknown, BlobUnknown])
def test_the_detail_tells_mirror_by_mirror(cls: type[AllFailed]) -> None:
    reply = error_reply(cls("k8s.gcr.io/pause:3.1", (SILENT, REFUSED, DENIED)))
    (told,) = json.loads(reply.body)["errors"]
    assert [one["mirror"] for one in told["detail"]] == ["a.example", "b.example", "c.example"]
    assert told["detail"][1] == {
        "mirror": "b.example",
        "repository": "k8s/pause",
        "outcome": "unreachable",
        "status": None,
        "message": "connection refused",
        "ms": 1,
    }


def test_the_detail_tells_what_was_found_instead_of_a_signature() -> None:
    (told,) = json.loads(error_reply(errors.SignatureRefused("no", ["a", "b"])).body)["errors"]
    assert told["detail"] == ["a", "b"]


def test_an_error_that_is_nobodys_fault_has_no_detail() -> None:
    (told,) = json.loads(error_reply(NameUnknown("no such registry")).body)["errors"]
    assert set(told) == {"code", "message"}


@pytest.mark.rule("E-2", "E-3")
@pytest.mark.parametrize("cls", OURS, ids=lambda cls: cls.__name__)
def test_404_instead_of_5xx(cls: type[EntrepotError]) -> None:
    plain = error_reply(example(cls))
    reply = error_reply(example(cls), not_found_instead_of_5xx=True)
    if plain.status < 500:
        assert reply == plain
    else:
        assert (reply.status, reply.headers.get("Retry-After")) == (404, None)


def test_headers_that_belong_to_one_status() -> None:
    assert error_reply(RangeNotSatisfiable(77)).headers["Content-Range"] == "bytes */77"
    assert error_reply(Unsupported("no")).headers["Allow"] == "GET, HEAD"
    for error in (StoreError("disk"), TransferBroken("broken"), AllFailed("failed")):
        assert int(error_reply(error).headers["Retry-After"]) > 0
    assert "Retry-After" not in error_reply(ManifestUnknown("absent")).headers


@pytest.mark.rule("A-2")
def test_the_challenge_is_our_own() -> None:
    headers = error_reply(errors.Unauthenticated("who are you?")).headers
    assert headers["WWW-Authenticate"] == 'Basic realm="entrepot"'


def test_who_guesses_is_told_when_to_come_back() -> None:
    assert (
        error_reply(errors.TooManyFailures("wait", retry_after_s=7.4)).headers["Retry-After"] == "7"
    )
