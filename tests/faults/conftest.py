"""One seed for everything that is left to chance here, and a count of what was tried."""

from __future__ import annotations

from collections import Counter

import pytest

DEFAULT_SEED = 20260801
DEFAULT_FUZZ_REQUESTS = 20_000
DEFAULT_KILLS = 16
DEFAULT_REQUESTS = 16_000

TRIED = pytest.StashKey[Counter[str]]()
FIGURES = pytest.StashKey[list[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--fault-seed",
        type=int,
        default=DEFAULT_SEED,
        help="what chance decides in tests/faults; name a file or directory there as well",
    )
    parser.addoption(
        "--limit-mb",
        type=int,
        default=100,
        help="what the cache may hold in tests/faults/test_limits.py, which pulls ten times that",
    )
    parser.addoption(
        "--fuzz-requests",
        type=int,
        default=DEFAULT_FUZZ_REQUESTS,
        help="how many hostile requests tests/faults/test_fuzz.py sends",
    )

    parser.addoption(
        "--kills",
        type=int,
        default=DEFAULT_KILLS,
        help="how often test_kills.py kills Entrepot; name a file or directory there as well",
    )
    parser.addoption(
        "--long-run",
        type=int,
        default=DEFAULT_REQUESTS,
        help="how many requests test_long_run makes; name that file as well",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.stash[TRIED] = Counter()
    config.stash[FIGURES] = []


def _seed_of(config: pytest.Config) -> int:
    # Without a path below tests/faults pytest reads this file too late to know the option.
    return int(config.getoption("--fault-seed", DEFAULT_SEED))


@pytest.fixture
def fault_seed(request: pytest.FixtureRequest) -> int:
    """The number given by --fault-seed."""
    return _seed_of(request.config)


@pytest.fixture
def fuzz_requests(request: pytest.FixtureRequest) -> int:
    """The number given by --fuzz-requests."""
    return int(request.config.getoption("--fuzz-requests", DEFAULT_FUZZ_REQUESTS))


@pytest.fixture(scope="session")
def kills(request: pytest.FixtureRequest) -> int:
    """The number given by --kills."""
    return int(request.config.getoption("--kills", DEFAULT_KILLS))


@pytest.fixture
def long_run_requests(request: pytest.FixtureRequest) -> int:
    """The number given by --long-run."""
    return int(request.config.getoption("--long-run", DEFAULT_REQUESTS))


@pytest.fixture
def tried(request: pytest.FixtureRequest) -> Counter[str]:
    """How many cases ended which way; told when the session ends."""
    return request.config.stash[TRIED]


@pytest.fixture
def figures(request: pytest.FixtureRequest) -> list[str]:
    """Lines to be told when the session ends."""
    return request.config.stash[FIGURES]


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    tried, lines = config.stash[TRIED], config.stash[FIGURES]
    if not tried and not lines:
        return
    terminalreporter.section(f"faults, seed {_seed_of(config)}")
    if tried:
        ends = ", ".join(f"{count} {name}" for name, count in tried.most_common())
        terminalreporter.line(f"fault matrix: {tried.total()} cases: {ends}")
    for line in lines:
        terminalreporter.line(line)
