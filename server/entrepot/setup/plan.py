"""What is to be done on a node: files, whole or merged into those that are there, and words."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

CRI = "@CRI@"
"""Stands in a merged TOML text for the CRI plugin's table, which config.toml's version names."""

ROOT = "@ROOT@"
"""Stands before an absolute path inside a text: the directory that the node's files are below."""

CERTS_D = "/etc/containerd/certs.d"
"""Where containerd's files go unless its configuration names another directory."""


class Merge(Enum):
    """How a text gets into a file that may be there already."""

    WHOLE = "whole"
    """It is the file."""
    TOML = "toml"
    """Its tables replace those of the same name; the rest of the file stays."""
    JSON = "json"
    """Its lists' items are added to those of the same key."""
    YAML = "yaml"
    """The entries below its top keys replace those of the same name."""


@dataclass(frozen=True, slots=True)
class File:
    """One file. `drop`: TOML tables that go with all below them. `text` None: a copy of the CA.

    `new`: what stands before the text when the file is not there yet.
    """

    path: str
    text: str | None
    merge: Merge = Merge.WHOLE
    drop: tuple[str, ...] = ()
    new: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """All of it, for one client of one version. `impossible` says why there is nothing to do.

    `cri` is what `CRI` stands for in a new file. `restart` is needed when a merged file changes;
    `notes` are for the person who reads along.
    """

    files: tuple[File, ...] = ()
    cri: str = ""
    restart: str = ""
    notes: tuple[str, ...] = ()
    impossible: str = ""
