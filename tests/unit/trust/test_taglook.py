"""Tags are judged by their text: versions, dates and hashes are expected to stay."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.trust.taglook import Look, look_of


@pytest.mark.parametrize(
    "tag",
    [
        "1.30.2",
        "v1.30.2",
        "v1.37.0-rc.0",
        "3.5.15-0",
        "3.10.1",
        "1.25.3-alpine",
        "go1.22.1",
        "release-1.2.3",
        "RELEASE.2024-01-16T16-07-38Z",
        "20240110",
        "stable-20240110-slim",
        "nightly-2024-01-10",
        "2024.01.10",
        "main-1a2b3c4",
        "sha-1a2b3c4d5e",
        "v20230407-g1a2b3c4",
        "0123456789abcdef0123456789abcdef01234567",
    ],
)
def test_whole_versions_dates_and_hashes_stay(tag: str) -> None:
    assert look_of(tag) is Look.FIXED


@pytest.mark.parametrize("tag", ["3.1", "3.10", "1.25", "v1.25", "1.25-alpine", "20.04", "2021.12"])
def test_two_numbers_may_be_either(tag: str) -> None:
    assert look_of(tag) is Look.VERSION


@pytest.mark.parametrize(
    "tag",
    [
        "latest",
        "stable",
        "v1",
        "3",
        "8-jre",
        "bookworm",
        "main",
        "edge",
        "1.2.x",
        "v1.2.3-latest",
        "deadbeef",
        "1234567",
        "20241399",
        f"sha256-{'0' * 64}.sig",
        f"sha256-{'0' * 64}",
    ],
)
def test_all_others_move(tag: str) -> None:
    assert look_of(tag) is Look.MOVING


@given(st.from_regex(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}", fullmatch=True))
def test_any_tag_looks_like_something(tag: str) -> None:
    assert look_of(tag) in Look


@given(st.tuples(*[st.integers(0, 10**6)] * 3), st.sampled_from(["", "v"]))
def test_any_semantic_version_stays(numbers: tuple[int, ...], prefix: str) -> None:
    assert look_of(prefix + ".".join(map(str, numbers))) is Look.FIXED
