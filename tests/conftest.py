"""What every test is held to: nothing blocks the loop, nothing is left behind, nothing goes out.

`ENTREPOT_REQUIRE_TOOLS=1` in the environment turns "this program is not installed" from a skip
into a failure; every other ENTREPOT_* and *_proxy variable is taken away before anything runs.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from hypothesis import settings

from guards.blocking import BlockingCalls
from guards.leaks import Footprint, Unretrieved
from guards.loopback import Loopback

# No test asserts a time: on a busy machine hypothesis' own limit for an example would.
settings.register_profile("entrepot", deadline=None)
settings.load_profile("entrepot")

_KEPT = {"ENTREPOT_REQUIRE_TOOLS"}
_LOOPBACK = Loopback()


def pytest_configure(config: pytest.Config) -> None:
    for name in list(os.environ):
        unwanted = name.upper().startswith("ENTREPOT_") or name.lower().endswith("_proxy")
        if unwanted and name not in _KEPT:
            del os.environ[name]
    # Run in the background by a shell we, and the programs we start, would not hear of ^C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.addaudithook(_LOOPBACK.audit)


@pytest.fixture(scope="session")
def _watched() -> Iterator[BlockingCalls]:
    watch = BlockingCalls("entrepot")
    watch.activate()
    yield watch
    watch.deactivate()


@pytest.fixture(autouse=True)
def blocking_calls(_watched: BlockingCalls) -> Iterator[list[str]]:
    """Blocking calls made by `entrepot` on the loop; any left in the list fails the test.

    They are counted here as well as raised because a broad `except` could hide the exception.
    """
    _watched.found.clear()
    yield _watched.found
    assert not _watched.found, f"blocking calls on the event loop: {_watched.found}"


@pytest.fixture(autouse=True)
def outbound() -> Iterator[list[str]]:
    """Attempts to leave 127.0.0.0/8, ::1 and AF_UNIX; any left in the list fails the test."""
    _LOOPBACK.found.clear()
    yield _LOOPBACK.found
    assert not _LOOPBACK.found, f"the test tried to reach {_LOOPBACK.found}"


@pytest.fixture
async def _nothing_left_behind() -> AsyncIterator[None]:
    loop = asyncio.get_running_loop()
    unretrieved = Unretrieved()
    loop.set_exception_handler(unretrieved.hear)
    before = Footprint.taken()
    yield
    left = await before.left_over()
    loop.set_exception_handler(None)
    assert not left, "left behind: " + "; ".join(left)
    assert not unretrieved.problems, f"nobody heard of {unretrieved.problems}"


@pytest.fixture(autouse=True)
def _leak_check(request: pytest.FixtureRequest) -> None:
    """Only for coroutine tests, so that plain ones need no loop."""
    function: Any = getattr(request, "function", None)
    if inspect.iscoroutinefunction(function):
        request.getfixturevalue("_nothing_left_behind")
