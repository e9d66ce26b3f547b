"""The table of clients."""

from __future__ import annotations

import subprocess

import pytest

from entrepot.setup.client import CLIENTS
from entrepot.setup.version import Version
from unit.setup.wishes import wish

PORTS = {"k8s.gcr.io": 5002, "docker.io": 5003}
WISHES = {
    "plain": wish(),
    "all": wish("a:5000", "https://b:5443", everything=True, strict=True, ca="/ca.pem"),
    "ports": wish(ports=PORTS),
}


@pytest.mark.parametrize("wanted", WISHES)
@pytest.mark.parametrize("name", CLIENTS)
def test_plans_change_at_the_thresholds_and_nowhere_else(name: str, wanted: str) -> None:
    """What the script, which knows only thresholds, does is what `plan` says for every version."""
    client = CLIENTS[name]
    tried = [Version(a, b, c) for a in range(31) for b in range(40) for c in (0, 9, 13, 17)]
    versions = [one for one in tried if one >= client.thresholds[0]]
    generations = client.generations(WISHES[wanted])
    at = 0
    for version in versions:
        while at + 1 < len(generations) and generations[at + 1][0] <= version:
            at += 1
        assert client.plan(version, WISHES[wanted]) == generations[at][1], version


@pytest.mark.parametrize("name", CLIENTS)
def test_the_client_is_asked_in_words_that_a_shell_understands(name: str) -> None:
    client = CLIENTS[name]
    assert client.name == name
    assert list(client.thresholds) == sorted(client.thresholds)
    subprocess.run(["/bin/sh", "-n", "-c", client.ask], check=True)
