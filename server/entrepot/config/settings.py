"""The settings: one frozen tree, the same shape as the file.

`config/entrepot.yaml` explains every key and shows its default; a test holds it to this module.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from entrepot.config.addresses import HostName, RegistryHost
from entrepot.config.clients import AdminSettings, AuthSettings, ClientSettings, ListenSettings
from entrepot.config.frozen import FilePath, Frozen
from entrepot.config.keep import KeepRule, parse_keep
from entrepot.config.limits import rate_unless_none, unless_none
from entrepot.config.mirrors import MirrorSettings
from entrepot.config.prefetch import PrefetchSettings
from entrepot.config.quantities import Bytes, PositiveBytes, PositiveSeconds, Seconds
from entrepot.config.signatures import VerifyRule
from entrepot.config.trust import TrustSettings


def _nothing_for_none(value: object) -> object:
    return 0 if value == "none" else value


class ScrubSettings(Frozen):
    """How kept blobs are looked after: each is hashed again once in `every` seconds."""

    # Bytes a second at most; None is not at all.
    rate: Annotated[int | None, BeforeValidator(rate_unless_none)] = 20 * 1024**2
    every: PositiveSeconds = 30 * 24 * 3600.0


class CacheSettings(Frozen):
    """What is kept, and where."""

    path: FilePath = Path("/var/lib/entrepot")
    # Manifests kept in memory as well, so that a hit never waits for the disk.
    memory: Bytes = 64 * 1024**2
    # How long a download that nobody has continued is kept, to be gone on with.
    unfinished: PositiveSeconds = 7 * 24 * 3600.0
    # Bytes below blobs/; what was used least recently goes when there are more.
    max_size: Annotated[PositiveBytes | None, BeforeValidator(unless_none)] = None
    # Bytes left to others on the file system, but never more than a tenth of it.
    min_free: Annotated[Bytes, BeforeValidator(_nothing_for_none)] = 2 * 1024**3
    # What is never evicted.
    keep: tuple[Annotated[KeepRule, BeforeValidator(parse_keep)], ...] = ()
    scrub: ScrubSettings = ScrubSettings()


class TimeoutSettings(Frozen):
    """All in seconds. There is no limit on the whole of a body, only on standing still."""

    headers: PositiveSeconds = 25.0
    overtake: PositiveSeconds = 2.0
    connect: PositiveSeconds = 5.0
    stall: PositiveSeconds = 15.0
    drain: PositiveSeconds = 30.0


class TagSettings(Frozen):
    """How long an answer about a tag counts, in seconds (rules U-12, F-9)."""

    ttl: Seconds = 300.0
    negative_ttl: Seconds = 30.0


class LogSettings(Frozen):
    """What is written to standard error, and how."""

    format: Literal["text", "json"] = "text"
    level: Literal["debug", "info", "warning", "error"] = "info"


class CompatibilitySettings(Frozen):
    """Concessions to old clients, all off."""

    # containerd 1.3, 1.4.0-11 and 1.5.0-4 give up for good on a 5xx (rule E-2).
    not_found_instead_of_5xx: bool = False


def _not_empty(value: object) -> object:
    # Not min_length: pydantic counts only the items that are right, and so complains twice.
    if value in ([], ()):
        raise ValueError("must not be empty")
    return value


class RegistrySettings(Frozen):
    """A registry that is served: its other names, and where its content is fetched from."""

    aliases: tuple[RegistryHost, ...] = ()
    mirrors: Annotated[tuple[MirrorSettings, ...], BeforeValidator(_not_empty)]
    tag_ttl: Seconds | None = None
    # Only for clients that have said who they are, whatever the way it came to us (P27).
    private: bool = False
    # What its images must be signed with; empty is nothing.
    verify: tuple[VerifyRule, ...] = ()


def _as_list(value: object) -> object:
    return _not_empty(value) if isinstance(value, list | tuple) else [value]


class Settings(Frozen):
    """Everything Entrepot can be told."""

    listen: Annotated[tuple[ListenSettings, ...], BeforeValidator(_as_list)] = (
        ListenSettings(host="0.0.0.0", port=5000),  # noqa: S104 - a mirror for the LAN
    )
    hosts: dict[HostName, RegistryHost] = Field(default={})
    # True: nothing goes out, and what is not here is refused.
    offline: bool = False
    # True: offline, images that are not all here are served as far as they go.
    offline_serves_incomplete: bool = False
    admin: Annotated[AdminSettings | None, BeforeValidator(unless_none)] = AdminSettings(
        host="127.0.0.1", port=5001
    )
    auth: AuthSettings = AuthSettings()
    clients: ClientSettings = ClientSettings()
    cache: CacheSettings = CacheSettings()
    timeouts: TimeoutSettings = TimeoutSettings()
    tags: TagSettings = TagSettings()
    trust: TrustSettings = TrustSettings()
    log: LogSettings = LogSettings()
    compatibility: CompatibilitySettings = CompatibilitySettings()
    # What is fetched ahead, every day.
    prefetch: tuple[PrefetchSettings, ...] = ()
    # True: a served manifest starts its layers, for the platforms that are asked for here.
    look_ahead: bool = False
    registries: dict[RegistryHost, RegistrySettings] = Field(default={})

    @property
    def canonical(self) -> dict[str, str]:
        """Which registry each name means, its own and its aliases."""
        return {
            name: registry
            for registry, one in self.registries.items()
            for name in (registry, *one.aliases)
        }

    @property
    def private(self) -> frozenset[str]:
        """The registries that only clients who say who they are may have anything of."""
        return frozenset(name for name, one in self.registries.items() if one.private)

    def hopeless_policies(self) -> Iterator[str]:
        """Tell of registries none of whose mirrors can ever do what their policy asks."""
        table = self.trust.table(self.canonical)
        for name, registry in self.registries.items():
            policy = table.policy(name, "")
            owners = sum(mirror.authority for mirror in registry.mirrors)
            hosts = len({mirror.host for mirror in registry.mirrors})
            why = policy.hopeless(mirrors=hosts, authorities=owners)
            if why:
                yield f"{name} has the policy `{policy}`, but {why}"

    @property
    def names(self) -> tuple[str, ...]:
        """Every registry that is served, by each of its names."""
        named = (one for name, it in self.registries.items() for one in (name, *it.aliases))
        return tuple(dict.fromkeys(named))

    @property
    def own_ports(self) -> Mapping[str, int]:
        """The ports that mean one registry each, for clients that name none (S-5)."""
        found: dict[str, int] = {}
        for listen in self.listen:
            for name, registry in self.registries.items():
                names = (name, *registry.aliases)
                if listen.registry in names:
                    found |= {one: listen.port for one in names if one not in found}
        return found

    def exposures(self) -> Iterator[str]:
        """Tell what others may come to know by these settings, though that may be wanted."""
        for name, registry in self.registries.items():
            lent = [mirror.name for mirror in registry.mirrors if mirror.credentials is not None]
            if lent and not (registry.private or self.auth.required):
                yield (
                    f"{name} is fetched with credentials ({', '.join(lent)}) and served to"
                    " everybody; with `private: true` clients are asked for a password"
                )
        if self.auth.htpasswd is not None:
            for listen in self.listen:
                if listen.tls is None:
                    yield f"passwords sent to {listen} can be read on the way: it has no `tls`"
