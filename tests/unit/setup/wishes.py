"""What the tests of the settings want, and the client they want it of."""

from __future__ import annotations

from entrepot.setup.client import CLIENTS
from entrepot.setup.endpoint import Endpoint
from entrepot.setup.plan import Plan
from entrepot.setup.script import setup_script
from entrepot.setup.version import Version
from entrepot.setup.wanted import Wanted

K8S, HUB = "k8s.gcr.io", "docker.io"


def wish(
    *mirrors: str,
    registries: tuple[str, ...] = (K8S, HUB),
    everything: bool = False,
    strict: bool = False,
    ca: str | None = None,
    ports: dict[str, int] | None = None,
) -> Wanted:
    """Want two registries by way of 10.0.0.5:5000, unless told otherwise."""
    endpoints = tuple(map(Endpoint.parse, mirrors or ("10.0.0.5:5000",)))
    return Wanted(endpoints, registries, everything, strict, ca, ports or {})


def plan(client: str, version: str, wanted: Wanted | None = None) -> Plan:
    """Plan for a client by name and version."""
    return CLIENTS[client].plan(Version.parse(version), wanted or wish())


def text(client: str, version: str, path: str, wanted: Wanted | None = None) -> str:
    """What the plan has for the file at `path`."""
    (found,) = [one for one in plan(client, version, wanted).files if one.path == path]
    assert found.text is not None
    return found.text


def script(client: str, wanted: Wanted | None = None) -> str:
    """Write the script for a client."""
    return setup_script(CLIENTS[client], wanted or wish())
