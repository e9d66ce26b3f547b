"""hosts.toml, which containerd, nerdctl, dockerd and microk8s read (rules C-4 to C-8)."""

from __future__ import annotations

from entrepot.setup.plan import ROOT, File
from entrepot.setup.wanted import Wanted, owner_url

DEFAULT = "_default"
"""The directory that stands for every registry without one of its own."""


def hosts_toml(registry: str, wanted: Wanted, ca: str | None = None) -> str:
    """Write the file for `registry`, or for all others when it is `DEFAULT`.

    `ca` is where the CA lies as the client sees it; the file on the node itself if not said.

    Nothing but pull and resolve: a word that a version does not know voids the whole file (C-5).
    With http:// neither ca nor skip_verify: containerd would try TLS first (C-8). A strict file
    keeps its tables, for containerd 1.6 throws away one with `server` alone.
    """
    lines = []
    if wanted.strict:
        lines += [f'server = "{wanted.last.url}"', ""]
    elif registry != DEFAULT:
        lines += [f'server = "{owner_url(registry)}"', ""]
    for endpoint in dict.fromkeys(wanted.endpoints):
        lines += [f'[host."{endpoint.url}"]', '  capabilities = ["pull", "resolve"]']
        if wanted.ca is not None and not endpoint.is_plain:
            lines.append(f'  ca = "{ca or ROOT + wanted.ca}"')
        lines.append("")
    return "\n".join(lines)


def hosts_files(
    directory: str, wanted: Wanted, *, knows_default: bool, ca: str | None = None
) -> tuple[File, ...]:
    """One file for each registry below `directory`, and the one for all others if wanted."""
    names = list(wanted.registries)
    if wanted.everything and knows_default:
        names.append(DEFAULT)
    return tuple(
        File(f"{directory}/{name}/hosts.toml", hosts_toml(name, wanted, ca)) for name in names
    )
