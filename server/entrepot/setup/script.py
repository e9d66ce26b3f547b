"""A client's plans for all its versions as one POSIX shell script, which a node runs by itself.

Whatever comes from outside has been through `Wanted` and `Endpoint`; it is quoted all the same.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from importlib.resources import files
from types import MappingProxyType

from entrepot.setup.client import Client
from entrepot.setup.plan import CERTS_D, File, Merge, Plan
from entrepot.setup.version import Version
from entrepot.setup.wanted import Wanted

_EOF = "ENTREPOT_EOF"
_HOOKS = {
    "containerd": ("inforce.sh", "containerd.sh"),
    "nerdctl": ("nerdctl.sh",),
    "podman": ("containers.sh",),
    "crio": ("containers.sh",),
}
# Units that lose nothing by being restarted or reloaded: containers go on running.
_UNITS = {"containerd": "containerd", "docker": "docker", "crio": "crio"}


SHELL = MappingProxyType(
    {
        part.name: part.read_text(encoding="utf-8")
        for part in (files("entrepot.setup") / "shell").iterdir()
    }
)
"""The parts of the scripts that are the same for everybody, by file name."""


def setup_script(client: Client, wanted: Wanted) -> str:
    """Write the script; nothing of it runs unless all of it has come."""
    generations = client.generations(wanted)
    merges = {file.merge for _, plan in generations for file in plan.files} - {Merge.WHOLE}
    parts = [
        "#!/bin/sh",
        f"# Entrepot: points {client.title} on this node at a mirror on the LAN; see --help.",
        "set -eu",
        "",
        SHELL["common.sh"],
        SHELL["setup.sh"],
        "write_programs() {",
        "  :",
        *(
            _here(f'  cat >"$stage/{one.value}.awk"', SHELL[f"{one.value}.awk"])
            for one in sorted(merges, key=lambda one: one.value)
        ),
        "}",
        "",
    ]
    parts += (SHELL[name] for name in _HOOKS.get(client.name, ()))
    parts += _plans(generations, client)
    parts += [
        f"client={client.name}",
        f"title={shlex.quote(client.title)}",
        f"mirrors={shlex.quote(' '.join(one.url for one in wanted.endpoints))}",
        f"ca={shlex.quote(wanted.ca or '')}",
        f"restart={shlex.quote(generations[-1][1].restart)}",
        f"restarts={_UNITS.get(client.name, '')}",
        f"needs_version={'yes' if _depends_on_version(generations) else ''}",
        f"ask_version() {{ {client.ask}; }}",
        "",
        'main "$@"',
        "",
    ]
    return "\n".join(parts)


def _depends_on_version(generations: list[tuple[Version, Plan]]) -> bool:
    return len(generations) > 1 or generations[0][0] > Version(0)


def _plans(generations: list[tuple[Version, Plan]], client: Client) -> Iterator[str]:
    """One function a generation; files that several have in common are written once."""
    shared: dict[tuple[File, ...], str] = {}
    for version, plan in generations:
        whole = tuple(file for file in plan.files if file.merge is Merge.WHOLE)
        name = ""
        if whole:
            known = whole in shared
            name = shared.setdefault(whole, f"files_{len(shared) + 1}")
            if not known:
                yield "\n".join([f"{name}() {{", *map(_whole, whole), "}", ""])
        yield from _plan(f"plan_{_word(version)}", name, plan)
    yield "plan() {"
    branch = "if"
    if _depends_on_version(generations):
        for version, _ in reversed(generations):
            yield f'  {branch} at_least "$version" {version}; then plan_{_word(version)}'
            branch = "elif"
        yield f'  else die "nothing is known of {client.title} before {generations[0][0]}"; fi'
    else:
        yield f"  plan_{_word(generations[0][0])}"
    yield "}\n"


def _word(version: Version) -> str:
    return str(version).replace(".", "_")


def _plan(name: str, whole: str, plan: Plan) -> Iterator[str]:
    yield f"{name}() {{"
    if plan.impossible:
        yield f"  die {shlex.quote(plan.impossible)}\n}}\n"
        return
    yield f"  restart={shlex.quote(plan.restart)} cri_new={shlex.quote(plan.cri)}"
    yield _here('  cat >"$stage/notes"', "".join(f"{note}\n" for note in plan.notes))
    for file in plan.files:
        if file.merge is not Merge.WHOLE:
            assert file.text is not None
            yield f"  drop={shlex.quote(chr(10).join(file.drop))}"
            head = shlex.quote(file.new)
            path = '"$config"' if file.path.endswith("/containerd/config.toml") else _path(file)
            yield _here(f"  merge {file.merge.value} {path} {head}", file.text)
    yield f"  {whole or ':'}\n}}\n"


def _whole(file: File) -> str:
    if file.text is None:
        return f"  copy_ca {_path(file)}"
    return _here(f"  put {_path(file)}", file.text)


def _path(file: File) -> str:
    """Where the file goes: below the user's home, or the directory that containerd looks at."""
    if file.path.startswith("~/"):
        return f'"$home"{shlex.quote(file.path[1:])}'
    if file.path.startswith(f"{CERTS_D}/"):
        return f'"$certs_d"{shlex.quote(file.path.removeprefix(CERTS_D))}'
    return shlex.quote(file.path)


def _here(command: str, text: str) -> str:
    if f"\n{_EOF}\n" in f"\n{text}\n":
        raise ValueError("a text that would end itself")
    end = "" if not text or text.endswith("\n") else "\n"
    return f"{command} <<'{_EOF}'\n{text}{end}{_EOF}"
