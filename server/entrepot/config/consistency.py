"""Mistakes that only show when two places of the settings are held against each other.

These look at the data as written, so that they are found beside the mistakes of form.
"""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import ValidationError

from entrepot.config.addresses import Address
from entrepot.config.layering import Layers
from entrepot.config.mirrors import default_name
from entrepot.config.problems import Place, Problem, nearest, write_place

_WHERE = {"address", "host", "port"}
_WILDCARDS = {"0.0.0.0", "::"}  # noqa: S104 - compared with, not bound to


def find_contradictions(layers: Layers) -> Iterator[Problem]:
    """Give every one of them; data of a wrong form is passed over in silence."""
    yield from _aliases(layers)
    yield from _registries_named(layers)
    yield from _listeners(layers)
    yield from _mirror_names(layers)
    yield from _kept_registries(layers)
    yield from _proofs(layers)
    yield from _policies(layers)


def _mapping(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


def _items(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _aliases_written(layers: Layers) -> Iterator[tuple[str, Place, str]]:
    """Give each alias with its place and the registry it belongs to."""
    for registry, content in _mapping(layers.data.get("registries")).items():
        for index, alias in enumerate(_items(_mapping(content).get("aliases"))):
            if isinstance(alias, str):
                yield alias, ("registries", registry, "aliases", index), registry


def _aliases(layers: Layers) -> Iterator[Problem]:
    registries = _mapping(layers.data.get("registries"))
    owners: dict[str, str] = {}
    for alias, place, registry in _aliases_written(layers):
        if alias in registries:
            rival: Place = ("registries", alias)
            if layers.height(place) >= layers.height(rival):
                yield layers.problem(place, "is itself a registry here, so it cannot be an alias")
            else:
                message = f"is an alias of {registry}: write its mirrors there"
                yield layers.problem(rival, message)
        elif alias in owners:
            message = f"is an alias of {owners[alias]} already"
            yield layers.problem(place, message)
        owners.setdefault(alias, registry)


def _registries_named(layers: Layers) -> Iterator[Problem]:
    known = [*_mapping(layers.data.get("registries"))]
    known += [alias for alias, _, _ in _aliases_written(layers)]
    places: list[Place] = [("hosts", host) for host in _mapping(layers.data.get("hosts"))]
    for place, entry in _listen_entries(layers):
        if _mapping(entry).get("registry") is not None:
            places.append((*place, "registry"))
    for place in places:
        value = layers.value(place)
        if isinstance(value, str) and value not in known:
            yield layers.problem(place, "is not among the registries", choices=known)


def _listen_entries(layers: Layers) -> Iterator[tuple[Place, object]]:
    listen = layers.data.get("listen")
    if isinstance(listen, list):
        for index, entry in enumerate(listen):
            yield ("listen", index), entry
    else:
        yield ("listen",), listen


def _listeners(layers: Layers) -> Iterator[Problem]:
    taken: list[tuple[Address, str]] = []
    for place, entry in [*_listen_entries(layers), (("admin",), layers.data.get("admin"))]:
        written = entry
        if isinstance(entry, dict):
            written = {key: value for key, value in entry.items() if key in _WHERE}
        try:
            address = Address.model_validate(written)
        except ValidationError:
            continue
        rival = next((where for other, where in taken if _collide(other, address)), None)
        if rival is not None:
            yield layers.problem(place, f"{address} is taken already, by {rival}")
        taken.append((address, write_place(place)))


def _collide(one: Address, other: Address) -> bool:
    if one.port != other.port or one.port == 0:
        return False
    if one.host == other.host:
        return True
    same_family = (":" in one.host) == (":" in other.host)
    return same_family and bool(_WILDCARDS & {one.host, other.host})


def _mirror_names(layers: Layers) -> Iterator[Problem]:
    for registry, content in _mapping(layers.data.get("registries")).items():
        names: set[str] = set()
        for index, mirror in enumerate(_items(_mapping(content).get("mirrors"))):
            entry = _mapping(mirror)
            name = entry.get("name") or default_name(entry.get("url", mirror))
            if name == "?" or not isinstance(name, str):
                continue
            if name in names:
                message = f"{name} is the name of another mirror here: give this one its own `name`"
                yield layers.problem(("registries", registry, "mirrors", index), message)
            names.add(name)


def _kept_registries(layers: Layers) -> Iterator[Problem]:
    """Look at the registries of what is kept, and of what is fetched ahead."""
    known = [*_mapping(layers.data.get("registries"))]
    known += [alias for alias, _, _ in _aliases_written(layers)]
    for place, rule in _images_named(layers):
        registry = rule.partition("/")[0].lower() if isinstance(rule, str) else ""
        if registry and "/" in str(rule) and registry not in known:
            meant = nearest(registry, known)
            message = f"{registry} is not among the registries"
            yield layers.problem(place, message + (f", but {meant} is" * bool(meant)))


def _images_named(layers: Layers) -> Iterator[tuple[Place, object]]:
    keep = _mapping(layers.data.get("cache")).get("keep")
    for index, rule in enumerate(_items(keep)):
        yield ("cache", "keep", index), rule
    for number, entry in enumerate(_items(layers.data.get("prefetch"))):
        for index, name in enumerate(_items(_mapping(entry).get("images"))):
            yield ("prefetch", number, "images", index), name


def _policies(layers: Layers) -> Iterator[Problem]:
    known = [*_mapping(layers.data.get("registries"))]
    known += [alias for alias, _, _ in _aliases_written(layers)]
    for name in _mapping(_mapping(layers.data.get("trust")).get("policies")):
        registry = str(name).partition("/")[0]
        if registry not in known and name not in known:
            meant = nearest(registry, known)
            message = f"{registry} is not among the registries"
            yield layers.problem(
                ("trust", "policies", name), message + (f", but {meant} is" * bool(meant))
            )


def _proofs(layers: Layers) -> Iterator[Problem]:
    """Find what only clients who say who they are may have, when nobody can say that."""
    certificates = [_mapping(entry).get("tls") for _, entry in _listen_entries(layers)]
    if _mapping(layers.data.get("auth")).get("htpasswd") is not None or any(
        _mapping(tls).get("client_ca") is not None for tls in certificates
    ):
        return
    places: list[Place] = [
        ("registries", name, "private")
        for name in _mapping(layers.data.get("registries"))
        if layers.value(("registries", name, "private")) is True
    ]
    if layers.value(("auth", "required")) is True:
        places.append(("auth", "required"))
    for place in places:
        message = "but no client can say who it is: give auth.htpasswd, or a listener tls.client_ca"
        yield layers.problem(place, message)
