from __future__ import annotations

from pathlib import Path

import pytest

from entrepot.oci.digest import Digest
from entrepot.store.layout import Layout

SHORT = Digest("sha256", "ab" * 32)
LONG = Digest("sha512", "cd" * 64)


@pytest.mark.rule("F-8")
def test_each_algorithm_has_its_own_directory() -> None:
    layout = Layout(Path("cache"))
    assert layout.blob(SHORT) == Path("cache/blobs/sha256/ab") / SHORT.hex
    assert layout.blob(LONG) == Path("cache/blobs/sha512/cd") / LONG.hex


def test_a_partial_is_a_directory_beside_the_blobs() -> None:
    layout = Layout(Path("cache"))
    assert layout.partial(SHORT) == Path("cache/partial/sha256") / SHORT.hex


def test_everything_lies_below_the_root() -> None:
    layout = Layout(Path("cache"))
    paths = [layout.version, layout.lock, layout.catalog, layout.blobs, layout.temporary]
    assert all(path.is_relative_to("cache") for path in [*paths, layout.blob(LONG)])
