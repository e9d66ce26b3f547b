"""Official bytes come back from copies that mirrors wrote anew, or nothing does."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.oci.digest import Digest
from entrepot.oci.manifest import Manifest, read_manifest
from entrepot.trust.repair import child_named, repair, repair_child, repair_index

DATA = Path(__file__).parents[2] / "data"
INDEX = (DATA / "pause-3.1.index.json").read_bytes()
AMD64 = (DATA / "pause-3.1-amd64.manifest.json").read_bytes()
OFFICIAL = read_manifest(INDEX, None)
OFFICIAL_AMD64 = read_manifest(AMD64, None)
PINNED = Digest.parse("sha256:f78411e19d84a252e53bff71a4407a5686c46983a2c2eeed83929b888179acea")


def sort_keys(text: str) -> str:
    return json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"))


def oci_order(text: str) -> str:
    """Write as a program does whose descriptors have the digest before the size."""

    def turned(fields: dict[str, object]) -> dict[str, object]:
        if "size" in fields:
            fields["size"] = fields.pop("size")
            fields |= {"platform": fields.pop("platform")} if "platform" in fields else {}
        return fields

    return json.dumps(json.loads(text, object_hook=turned), indent=2)


def variants(text: str) -> str:
    """Add to each ARM platform the variant that it usually has, as Aliyun does."""

    def added(fields: dict[str, object]) -> dict[str, object]:
        variant = {"arm": "v7", "arm64": "v8"}.get(str(fields.get("architecture")))
        return {**fields, "variant": variant} if variant else fields

    return json.dumps(json.loads(text, object_hook=added), separators=(",", ":"))


WAYS: dict[str, Callable[[str], str]] = {
    "compact": lambda text: json.dumps(json.loads(text), separators=(",", ":")),
    "2 spaces": lambda text: json.dumps(json.loads(text), indent=2),
    "4 spaces and a line end": lambda text: json.dumps(json.loads(text), indent=4) + "\n",
    "one line": lambda text: json.dumps(json.loads(text)),
    "windows": lambda text: text.replace("\n", "\r\n"),
    "alphabet": sort_keys,
    "oci": oci_order,
    "variants": variants,
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("official", [INDEX, AMD64], ids=["index", "amd64"])
def test_pause_comes_back_byte_for_byte(official: bytes, way: str) -> None:
    received = WAYS[way](official.decode()).encode()
    assert received != official or (way, official) == ("variants", AMD64)
    repaired = repair(received, {Digest.of(official)})
    assert repaired is not None
    assert repaired.body == official
    assert repaired.digest == Digest.of(official)
    assert repaired.form


def test_the_pin_is_enough_to_prove_it() -> None:
    repaired = repair(WAYS["compact"](INDEX.decode()).encode(), {PINNED})
    assert repaired is not None
    assert read_manifest(repaired.body, None, expected=PINNED) == OFFICIAL


def test_any_of_several_digests_will_do_also_longer_ones() -> None:
    import hashlib

    longer = Digest("sha512", hashlib.sha512(AMD64).hexdigest())
    repaired = repair(WAYS["compact"](AMD64.decode()).encode(), {Digest.of(b"x"), longer})
    assert repaired is not None
    assert (repaired.digest, repaired.body) == (longer, AMD64)


@pytest.mark.parametrize(
    "received",
    [
        WAYS["compact"](INDEX.decode()).replace("arm64", "riscv64").encode(),
        WAYS["compact"](INDEX.decode()).replace('"size":527', '"size":528', 1).encode(),
        b"<html></html>",
        b"",
        b'{"schemaVersion":2,"schemaVersion":2}',
    ],
    ids=["platform", "size", "page", "nothing", "twice"],
)
def test_anything_else_does_not_come_back(received: bytes) -> None:
    assert repair(received, {PINNED}) is None


@given(st.binary(max_size=80), st.binary(max_size=8))
def test_only_what_hashes_to_the_digest_is_ever_returned(received: bytes, wanted: bytes) -> None:
    repaired = repair(received, {Digest.of(wanted)})
    assert repaired is None or repaired.body == wanted


def test_lengths_that_an_index_tells_spare_the_hashing() -> None:
    received = WAYS["compact"](AMD64.decode()).encode()
    assert repair(received, {OFFICIAL_AMD64.digest}, {526}) is None
    assert repair(received, {OFFICIAL_AMD64.digest}, {527}) is not None


class TestOneArchitecture:
    def test_the_child_itself_is_recognised(self) -> None:
        found = repair_child(OFFICIAL, OFFICIAL_AMD64)
        assert found is not None
        assert (found.digest, found.body) == (OFFICIAL_AMD64.digest, AMD64)
        child = child_named(OFFICIAL, OFFICIAL_AMD64.digest)
        assert child is not None
        assert str(child.platform) == "linux/amd64"

    def test_the_child_written_anew_is_recognised(self) -> None:
        received = read_manifest(WAYS["compact"](AMD64.decode()).encode(), None)
        found = repair_child(OFFICIAL, received)
        assert found is not None
        assert found.body == AMD64

    def test_other_manifests_are_not(self) -> None:
        other = read_manifest(AMD64.replace(b"67ddbfb2", b"67ddbfb3"), None)
        assert repair_child(OFFICIAL, other) is None
        assert repair_child(OFFICIAL_AMD64, OFFICIAL) is None
        again = read_manifest(WAYS["compact"](INDEX.decode()).encode(), None)
        assert repair_child(OFFICIAL, again) is None
        assert child_named(OFFICIAL_AMD64, OFFICIAL.digest) is None


def image(number: int, note: str = "") -> bytes:
    """Make a manifest as docker writes it."""
    blob = {"mediaType": "application/octet-stream", "size": number, "digest": "sha256:" + "0" * 64}
    document: dict[str, object] = {"schemaVersion": 2, "config": blob, "layers": [blob]}
    if note:
        document["annotations"] = {"note": note}
    text = json.dumps(document, indent=3, ensure_ascii=False)
    return text.replace("&", "\\u0026").encode()


def index_of(children: list[bytes], indent: int | None = 3) -> bytes:
    entries = [
        {
            "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
            "size": len(child),
            "digest": str(Digest.of(child)),
            "platform": {"architecture": f"a{number}", "os": "linux"},
        }
        for number, child in enumerate(children)
    ]
    separators = None if indent else (",", ":")
    document = {"schemaVersion": 2, "manifests": entries}
    return json.dumps(document, indent=indent, separators=separators).encode()


CHILDREN = [image(1), image(2, "a & b"), image(3)]


class TestChildrenFirst:
    def compacted(self) -> tuple[bytes, dict[Digest, bytes]]:
        """Write the index and all its children anew, as a mirror does that minifies."""
        written = [WAYS["compact"](child.decode()).encode() for child in CHILDREN]
        return index_of(written, None), {Digest.of(child): child for child in written}

    def test_an_index_comes_back_with_all_its_children(self) -> None:
        official = index_of(CHILDREN)
        index, children = self.compacted()
        found = repair_index(index, {Digest.of(official)}, children)
        assert found is not None
        assert found.index.body == official
        assert [found.children[digest].body for digest in children] == CHILDREN

    def test_without_its_children_it_does_not(self) -> None:
        index, _ = self.compacted()
        expected = {Digest.of(index_of(CHILDREN))}
        assert repair(index, expected) is None
        assert repair_index(index, expected, {}) is None

    def test_other_children_do_not_come_back_as_these(self) -> None:
        index, children = self.compacted()
        other = {Digest.of(index_of([image(4), image(5), image(6)]))}
        started = time.perf_counter()
        assert repair_index(index, other, children) is None
        print(f"an index of three given up in {1e3 * (time.perf_counter() - started):.0f} ms")

    def test_children_that_are_the_owners_stay_as_they_are(self) -> None:
        official = index_of(CHILDREN)
        index = WAYS["2 spaces"](official.decode()).encode()
        children = {Digest.of(child): child for child in CHILDREN}
        found = repair_index(index, {Digest.of(official)}, children)
        assert found is not None
        assert {digest: child.body for digest, child in found.children.items()} == children

    def test_what_is_no_index_is_not_made_one(self) -> None:
        expected = {Digest.of(b"x")}
        assert repair_index(b"<html>", expected, {}) is None
        assert repair_index(b'{"manifests":1}', expected, {}) is None
        assert repair_index(b'{"manifests":[1]}', expected, {Digest.of(b"y"): b"<html>"}) is None
        many = {Digest.of(bytes([number])): b"{}" for number in range(65)}
        assert repair_index(b"{}", expected, many) is None


def test_the_time_that_it_takes() -> None:
    """Printed, not asserted: a busy machine is slow."""
    manifest = Manifest(PINNED, "", WAYS["variants"](INDEX.decode()).encode())
    started = time.perf_counter()
    assert repair(manifest.body, {PINNED}) is not None
    found = time.perf_counter() - started
    started = time.perf_counter()
    assert repair(manifest.body, {Digest.of(b"x")}) is None
    print(
        f"found in {1e3 * found:.1f} ms, given up in {1e3 * (time.perf_counter() - started):.1f} ms"
    )
