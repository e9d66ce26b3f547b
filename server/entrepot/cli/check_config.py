"""`entrepot check-config`: say what is wrong with a settings file, or what it means."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from entrepot.cli.choosing import cache_override
from entrepot.config import (
    ConfigError,
    MirrorSettings,
    Settings,
    default_path,
    load_settings,
    preset_path,
)
from entrepot.config.settings import CacheSettings
from entrepot.oci.reference import RepositoryName, Tag
from entrepot.trust.pinfile import PinsInvalid
from entrepot.trust.pinloading import load_pins, shipped_pins

_SAMPLE_REGISTRY = "k8s.gcr.io"
_SAMPLE_REPOSITORY = RepositoryName("pause")
_SAMPLE_TAG = Tag("3.1")


@click.command("check-config")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--config", type=click.Path(path_type=Path), help="FILE, as others are told it.")
@click.option("--preset", metavar="NAME", help="Lay FILE over this preset, such as china.")
@click.option(
    "--cache",
    type=click.Path(path_type=Path, file_okay=False),
    help="The cache directory, instead of the one in the configuration.",
)
def check_config(
    file: Path | None, config: Path | None, preset: str | None, cache: Path | None
) -> None:
    """Check the settings in FILE, and show what they come to.

    Without FILE, /etc/entrepot/entrepot.yaml is checked, or what is built in. Every mistake is
    printed as FILE:LINE: PATH: MESSAGE, and the exit status is 2.
    """
    if file is not None and config is not None:
        raise click.UsageError("one file at a time: FILE, or --config FILE")
    try:
        settings = load_settings(file or config, preset=preset, overrides=cache_override(cache))
    except ConfigError as error:
        for problem in error.problems:
            click.echo(str(problem), err=True)
        raise SystemExit(2) from None
    try:
        pins = load_pins(*settings.trust.ranks(shipped_pins()))
    except PinsInvalid as error:
        for line in error.problems:
            click.echo(line, err=True)
        raise SystemExit(2) from None
    for line in summarize(settings):
        click.echo(line)
    built_in = load_settings(default_path() if preset is None else preset_path(preset))
    for name, alias in lost_aliases(settings, built_in):
        click.echo(
            f"warning   {name} was also {alias}, and its `aliases` leave that out: who asks for"
            f" {alias} is refused"
        )
    click.echo(f"pins      {len(pins)} tags")


def summarize(settings: Settings) -> Iterator[str]:
    """Tell in a few lines what the settings come to; no secrets among them."""
    for listener in settings.listen:
        default = f", {listener.registry} where none is named" if listener.registry else ""
        tls = listener.tls
        how = (
            ""
            if tls is None
            else ", HTTPS with client certificates"
            if tls.client_ca
            else ", HTTPS"
        )
        yield f"listen    {listener}{how}{default}"
    for host, registry in settings.hosts.items():
        yield f"host      {host} means {registry}"
    yield f"admin     {settings.admin or 'off'}"
    yield f"cache     {settings.cache.path}"
    if settings.offline:
        but = ", incomplete images are served" if settings.offline_serves_incomplete else ""
        yield f"offline   nothing goes out{but}"
    yield from _limits(settings.cache)
    for name, registry_settings in settings.registries.items():
        aliases = registry_settings.aliases
        private = ", private" if registry_settings.private else ""
        yield f"registry  {name}{private}" + (f", also {', '.join(aliases)}" if aliases else "")
        sampled = _SAMPLE_REGISTRY in (name, *aliases)
        for place, mirror in enumerate(registry_settings.mirrors, start=1):
            sample = f": {_sample(name, mirror)}" if sampled else ""
            authority = " (authority)" if mirror.authority else ""
            yield f"  {place}. {mirror.name}{authority}{sample}"
    yield f"trust     {settings.trust.policy}"
    for name, policy in settings.trust.policies.items():
        yield f"trust     {name}: {policy}"
    for hopeless in settings.hopeless_policies():
        yield f"warning   {hopeless}"
    for exposure in settings.exposures():
        yield f"warning   {exposure}"


def lost_aliases(settings: Settings, before: Settings) -> Iterator[tuple[str, str]]:
    """Tell the other names of registries that `before` has, and nobody has any more.

    `aliases: []` is a plain word, and no oversight.
    """
    registries = settings.registries
    served = {*registries, *(alias for one in registries.values() for alias in one.aliases)}
    for name, registry in before.registries.items():
        if name in registries and registries[name].aliases:
            yield from ((name, alias) for alias in registry.aliases if alias not in served)


def _limits(cache: CacheSettings) -> Iterator[str]:
    most = f"at most {_size(cache.max_size)}" if cache.max_size is not None else "no limit"
    yield f"limits    {most}, {_size(cache.min_free)} of the disk left free"
    for rule in cache.keep:
        yield f"keep      {rule}"


def _size(count: int) -> str:
    """Write bytes the way the settings take them."""
    size = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.4g}{unit}"
        size /= 1024
    return f"{size:.4g}TiB"


def _sample(registry: str, mirror: MirrorSettings) -> str:
    repository = mirror.naming.repository(registry, _SAMPLE_REPOSITORY)
    ours = f"{_SAMPLE_REGISTRY}/{_SAMPLE_REPOSITORY}:{_SAMPLE_TAG}"
    if repository is None:
        return f"does not carry {ours}"
    host = mirror.url.partition("://")[2]
    tag = mirror.naming.tag(_SAMPLE_REPOSITORY, _SAMPLE_TAG)
    return f"{ours} is {host}/{repository}:{tag}"
