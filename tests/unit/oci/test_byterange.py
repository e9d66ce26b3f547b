"""Range headers, as the clients of the contract write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.errors import RangeNotSatisfiable, RangeUnsupported
from entrepot.oci.byterange import ByteRange, parse_range


@pytest.mark.rule("T-5", "T-6", "L-1", "L-5", "L-6", "L-7", "N-9")
@pytest.mark.parametrize(
    ("header", "size", "start", "stop"),
    [
        ("bytes=0-", 10, 0, 10),
        ("bytes=0-0", 10, 0, 1),
        ("bytes=0-1", 10, 0, 2),
        ("bytes=9-", 10, 9, 10),
        ("bytes=-3", 10, 7, 10),
        ("bytes=-30", 10, 0, 10),
        ("BYTES = 2-3", 10, 2, 4),
        ("bytes=2-3,", 10, 2, 4),
        ("bytes=5-999999999999999999999999999", 10, 5, 10),
        (f"bytes={'0' * 5000}5-", 10, 5, 10),
        ("bytes=500-1499", 3000, 500, 1500),
        ("bytes=500-", 3000, 500, 3000),
        ("bytes=-500", 3000, 2500, 3000),
        ("bytes=2000-5000", 3000, 2000, 3000),
    ],
)
def test_single_ranges(header: str, size: int, start: int, stop: int) -> None:
    assert parse_range(header, size) == ByteRange(start, stop)


def test_content_range_is_inclusive() -> None:
    chosen = ByteRange(500, 1500)
    assert chosen.content_range(3000) == "bytes 500-1499/3000"
    assert chosen.length == 1000


@pytest.mark.rule("L-7", "T-8", "N-9")
@pytest.mark.parametrize(
    "header",
    [
        *(None, "", "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=1", "bytes=,", "bytes=1-2-3"),
        *("items=0-1", "bytes=500-0", "bytes=1-2,x", "bytes=+1-2", "bytes=٣-٤", "bytes 0-1"),
    ],
)
def test_nonsense_and_other_units_mean_the_whole_blob(header: str | None) -> None:
    assert parse_range(header, 3000) is None


@pytest.mark.rule("T-8")
def test_an_empty_blob_from_its_start_is_the_whole_blob() -> None:
    assert parse_range("bytes=0-", 0) is None


@pytest.mark.rule("T-8", "N-9")
@pytest.mark.parametrize(
    ("header", "size"),
    [
        ("bytes=10-", 10),
        ("bytes=5000-10000", 3000),
        ("bytes=-0", 10),
        ("bytes=0-0", 0),
        ("bytes=-5", 0),
        (f"bytes={'9' * 5000}-", 10),
    ],
)
def test_ranges_past_the_end_tell_the_size(header: str, size: int) -> None:
    with pytest.raises(RangeNotSatisfiable) as caught:
        parse_range(header, size)
    assert caught.value.size == size


@pytest.mark.rule("P-4", "L-2", "L-7")
@pytest.mark.parametrize("header", ["bytes=0-1,3-4", "bytes=0-1, -2", "bytes=0-0,99-"])
def test_several_ranges_are_declined(header: str) -> None:
    with pytest.raises(RangeUnsupported):
        parse_range(header, 10)


@given(
    st.none() | st.text() | st.text("0123456789-, ").map("bytes={}".format), st.integers(0, 1 << 50)
)
def test_any_header_is_a_range_inside_the_blob_or_refused(header: str | None, size: int) -> None:
    try:
        chosen = parse_range(header, size)
    except (RangeNotSatisfiable, RangeUnsupported):
        return
    assert chosen is None or 0 <= chosen.start < chosen.stop <= size


@pytest.mark.rule("T-4", "L-1")
@pytest.mark.parametrize(
    ("header", "open_ended"), [("bytes=5-", True), ("bytes=5-9", False), ("bytes=-5", False)]
)
def test_a_resumed_download_is_told_from_a_look_at_a_part(header: str, *, open_ended: bool) -> None:
    part = parse_range(header, 10)
    assert part is not None
    assert part.open_ended is open_ended
