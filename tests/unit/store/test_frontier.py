from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from entrepot.errors import Corrupt
from entrepot.oci.digest import Digest
from entrepot.store.frontier import PIECE_BYTES, Frontier

CONTENT = os.urandom(1000) * 2200


@pytest.fixture
def descriptor(tmp_path: Path) -> Iterator[int]:
    (tmp_path / "data").write_bytes(CONTENT)
    descriptor = os.open(tmp_path / "data", os.O_RDONLY)
    yield descriptor
    os.close(descriptor)


def test_memory_and_file_give_one_hash(descriptor: int) -> None:
    frontier = Frontier(Digest.of(CONTENT), descriptor)
    frontier.absorb([memoryview(CONTENT)[:10], memoryview(CONTENT)[10:77]])
    assert frontier.at == 77
    assert not frontier.proved
    frontier.read_back(len(CONTENT))
    assert frontier.at == len(CONTENT) > 2 * PIECE_BYTES
    assert frontier.proved


def test_rewind_and_forward_gives_the_same_hash(descriptor: int) -> None:
    frontier = Frontier(Digest.of(CONTENT), descriptor)
    frontier.read_back(len(CONTENT))
    frontier.rewind(500)
    assert frontier.at == 500
    assert not frontier.proved
    frontier.rewind(600)
    assert frontier.at == 500
    frontier.read_back(len(CONTENT))
    assert frontier.proved


def test_wrong_bytes_are_not_proved(descriptor: int) -> None:
    frontier = Frontier(Digest.of(CONTENT), descriptor)
    frontier.absorb([memoryview(b"x")])
    frontier.read_back(len(CONTENT))
    assert not frontier.proved


def test_a_file_that_ends_early_is_corrupt(descriptor: int) -> None:
    frontier = Frontier(Digest.of(CONTENT), descriptor)
    with pytest.raises(Corrupt, match="ends at"):
        frontier.read_back(len(CONTENT) + 1)


def test_a_hash_taken_from_it_goes_its_own_way(descriptor: int) -> None:
    frontier = Frontier(Digest.of(CONTENT), descriptor)
    frontier.read_back(1000)
    taken = frontier.hasher()
    taken.update(CONTENT[1000:])
    assert taken.hexdigest() == Digest.of(CONTENT).hex
    assert not frontier.proved
