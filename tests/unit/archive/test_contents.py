"""The same files in a tar, a packed tar and a directory are the same contents."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import pytest
import zstandard

from entrepot.archive import contents as module
from entrepot.archive.contents import Contents, open_contents
from entrepot.errors import ArchiveInvalid
from fakes.archives import tar
from fakes.images import blob

NOISE = blob(3 << 20, "contents")
FILES = {
    "index.json": b'{"a": 1}',
    "layers/one.tar": NOISE,
    f"blobs/sha256/{hashlib.sha256(b'x').hexdigest()}": b"x",
    "layers/empty": b"",
}
FORMS = ["tar", "gzip", "zstd", "directory"]


def made(path: Path, form: str, data: bytes | None = None) -> Contents:
    if form == "directory":
        for name, each in FILES.items():
            file = path / "made" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(each)
        return open_contents(path / "made")
    data = tar(FILES, links={"link": "layers/one.tar"}) if data is None else data
    packed = {"tar": data, "gzip": gzip.compress(data, 1), "zstd": zstandard.compress(data)}
    (path / "file").write_bytes(packed[form])
    return open_contents(path / "file")


@pytest.mark.parametrize("form", FORMS)
def test_everything_is_told_alike(tmp_path: Path, form: str) -> None:
    contents = made(tmp_path, form)
    assert contents.sizes == {name: len(data) for name, data in FILES.items()}
    assert contents.read("index.json") == FILES["index.json"]
    assert contents.head("layers/one.tar") == NOISE[:8]
    for name, data in FILES.items():
        assert contents.digest(name) == hashlib.sha256(data).hexdigest()
    found = {name: b"".join(pieces) for name, pieces in contents.walk(FILES)}
    assert found == FILES
    assert [name for name, _ in contents.walk({"layers/one.tar"})] == ["layers/one.tar"]
    assert "nothing" not in contents
    with pytest.raises(ArchiveInvalid, match="lacks 'nothing'"):
        contents.read("nothing")


@pytest.mark.parametrize("form", ["tar", "zstd"])
def test_links_are_followed_inside(tmp_path: Path, form: str) -> None:
    contents = made(tmp_path, form)
    assert "link" in contents
    assert (contents.real("link"), contents.size("link")) == ("layers/one.tar", len(NOISE))
    circle = made(tmp_path, form, tar({"x": b""}, links={"a": "b", "b": "a"}))
    with pytest.raises(ArchiveInvalid, match="circle"):
        circle.read("a")


def test_links_of_a_directory_are_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"{}")
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "index.json").symlink_to(secret)
    assert "index.json" not in open_contents(tmp_path / "made")


@pytest.mark.parametrize("form", ["tar", "zstd"])
def test_a_document_that_is_too_long_or_there_twice_is_refused(tmp_path: Path, form: str) -> None:
    long = made(tmp_path, form, tar({"index.json": b"{" + bytes(9 << 20)}))
    with pytest.raises(ArchiveInvalid, match="too long"):
        long.read("index.json")
    twice = tar({"index.json": b"{}"})[:1024] + tar({"index.json": b"[]"})
    with pytest.raises(ArchiveInvalid, match="twice"):
        made(tmp_path, form, twice)


def test_documents_do_not_fill_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_KEPT_BYTES", 1000)
    with pytest.raises(ArchiveInvalid, match="documents"):
        made(tmp_path, "zstd", tar({str(n): b"{" + bytes(600) for n in range(2)}))


def test_what_is_no_document_is_not_kept(tmp_path: Path) -> None:
    contents = made(tmp_path, "zstd", tar({"config": b"\x7fELF"}))
    with pytest.raises(ArchiveInvalid, match="no JSON"):
        contents.read("config")


@pytest.mark.parametrize("form", ["tar", "zstd"])
def test_a_tar_that_is_cut_is_refused(tmp_path: Path, form: str) -> None:
    with pytest.raises(ArchiveInvalid, match="in the middle"):
        made(tmp_path, form, tar(FILES)[: 2 << 20])
    if form == "tar":
        contents = made(tmp_path, form)
        with (tmp_path / "file").open("r+b") as file:
            file.truncate(1 << 20)
        with pytest.raises(ArchiveInvalid, match="shorter"):
            contents.digest("layers/one.tar")
