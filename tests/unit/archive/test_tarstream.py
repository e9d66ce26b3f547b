"""Tars of every kind that is in use, and hostile ones."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.archive.tarstream import Kind, TarStream, resolved, safe_name
from entrepot.errors import ArchiveInvalid

LONG = "d" * 90 + "/" + "f" * 150
FORMATS = {"gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT, "ustar": tarfile.USTAR_FORMAT}


class Forwards(io.BytesIO):
    """As a pipe."""

    def seekable(self) -> bool:
        return False


def packed(build: Callable[[tarfile.TarFile], None], format_: int = tarfile.GNU_FORMAT) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=format_) as made:
        build(made)
    return stream.getvalue()


def add(
    made: tarfile.TarFile, name: str, data: bytes = b"", type_: bytes = tarfile.REGTYPE
) -> None:
    entry = tarfile.TarInfo(name)
    entry.type, entry.size = type_, len(data)
    made.addfile(entry, io.BytesIO(data))


def several(files: dict[str, bytes]) -> bytes:
    def build(made: tarfile.TarFile) -> None:
        for name, data in files.items():
            add(made, name, data)

    return packed(build)


def read(data: bytes, kind: type[io.BytesIO] = io.BytesIO) -> dict[str, bytes]:
    tar = TarStream(kind(data))
    return {m.name: b"".join(tar.chunks(m)) for m in tar.members() if m.kind is Kind.FILE}


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("kind", [io.BytesIO, Forwards])
def test_what_python_writes_is_read(format_: str, kind: type[io.BytesIO]) -> None:
    name = LONG if format_ != "ustar" else "p" * 80 + "/" + "f" * 90
    files = {"a": b"", "./b/c": b"x" * 513, name: b"y" * 2000, "ü": b"z"}

    def build(made: tarfile.TarFile) -> None:
        for each, data in files.items():
            add(made, each, data)
        add(made, "dir", type_=tarfile.DIRTYPE)

    found = read(packed(build, FORMATS[format_]), kind)
    assert found == {"a": b"", "b/c": b"x" * 513, name: b"y" * 2000, "ü": b"z"}


def test_members_that_nobody_reads_are_passed_by() -> None:
    data = several({str(number): bytes(1000) for number in range(3)})
    for kind in (io.BytesIO, Forwards):
        assert [m.name for m in TarStream(kind(data)).members()] == ["0", "1", "2"]


def test_sizes_past_eight_gib_are_read() -> None:
    for format_ in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        entry = tarfile.TarInfo("big")
        entry.size = 9 << 30
        member = next(TarStream(io.BytesIO(entry.tobuf(format_) + bytes(1024))).members())
        assert member.size == 9 << 30


def test_links_mean_names_inside() -> None:
    def build(made: tarfile.TarFile) -> None:
        for name, target, type_ in (
            ("a/layer.tar", "../b/layer.tar", tarfile.SYMTYPE),
            ("c", "b/layer.tar", tarfile.LNKTYPE),
        ):
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = type_, target
            made.addfile(entry)

    members = list(TarStream(io.BytesIO(packed(build))).members())
    assert [m.target for m in members] == ["b/layer.tar"] * 2


@pytest.mark.parametrize(
    "name", ["/etc/passwd", "../x", "a/../../x", "a/..", "x" * 5000], ids=lambda n: n[:12]
)
def test_names_that_lead_out_are_refused(name: str) -> None:
    with pytest.raises(ArchiveInvalid):
        read(packed(lambda made: add(made, name)))
    with pytest.raises(ArchiveInvalid):
        safe_name(name)


@pytest.mark.parametrize("target", ["/etc/passwd", "../../x", "a/../../../x"])
def test_links_that_lead_out_are_refused(target: str) -> None:
    with pytest.raises(ArchiveInvalid, match="leads out"):
        resolved("dir", target, "dir/link")


@pytest.mark.parametrize("type_", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, b"S"])
def test_devices_and_the_like_are_refused(type_: bytes) -> None:
    entry = tarfile.TarInfo("x")
    entry.type = type_
    with pytest.raises(ArchiveInvalid):
        read(entry.tobuf(tarfile.GNU_FORMAT) + bytes(1024))


def test_a_header_that_would_fill_memory_is_refused() -> None:
    for type_ in (tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.XGLTYPE):
        entry = tarfile.TarInfo("x")
        entry.type, entry.size = type_, 1 << 40
        with pytest.raises(ArchiveInvalid, match="header of"):
            read(entry.tobuf(tarfile.GNU_FORMAT) + bytes(1024))


@pytest.mark.parametrize(
    "record",
    [b"9 path=", b"0 path=a\n", b"x path=a\n", b"99999999 path=a\n", b"25 GNU.sparse.major=1\n."],
)
def test_pax_records_that_cannot_be_are_refused(record: bytes) -> None:
    entry = tarfile.TarInfo("x")
    entry.type, entry.size = tarfile.XHDTYPE, len(record)
    data = entry.tobuf(tarfile.GNU_FORMAT) + record + bytes(-len(record) % 512)
    with pytest.raises(ArchiveInvalid):
        read(data + packed(lambda made: add(made, "y")))


def test_a_size_beyond_all_disks_is_refused() -> None:
    entry = tarfile.TarInfo("x")
    entry.size = 1 << 60
    with pytest.raises(ArchiveInvalid, match="says it has"):
        read(entry.tobuf(tarfile.GNU_FORMAT) + bytes(1024))


def test_what_ends_in_the_middle_is_refused() -> None:
    data = packed(lambda made: add(made, "a", bytes(5000)))
    for kind in (io.BytesIO, Forwards):
        with pytest.raises(ArchiveInvalid, match="ends in the middle"):
            read(data[:2000], kind)
        with pytest.raises(ArchiveInvalid, match="ends in the middle"):
            read(data[:100], kind)


@given(st.binary(max_size=3000))
def test_noise_is_refused_and_nothing_else_happens(data: bytes) -> None:
    with pytest.raises(ArchiveInvalid):
        read(b"\x01" + data)


@given(st.integers(0, 1023), st.integers(0, 7))
def test_a_flipped_bit_of_a_header_never_goes_unseen(at: int, bit: int) -> None:
    data = bytearray(several({"a": b"x" * 10, "b": b"x" * 10}))
    data[at] ^= 1 << bit
    try:
        found = read(bytes(data))
    except ArchiveInvalid:
        return
    assert set(found) == {"a", "b"}
