"""A node that is a directory: Entrepot's scripts run on it as on a real one, with a real shell."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from pathlib import Path

from programs import require_program
from programs.daemon import plain_environment, run

# A containerd that knows its version and can read a configuration, and that is all.
_CONTAINERD = """\
#!/bin/sh
case "$*" in
  --version) echo "containerd github.com/containerd/containerd v{version} 0123456789abcdef" ;;
  --config*dump) cat "$2" ;;
  'config default') printf '%s' '{default}' ;;
  *) exit 1 ;;
esac
"""
_APPLETS = (
    *("awk", "cat", "chmod", "cmp", "cp", "cut", "diff", "find", "grep", "head", "id", "mkdir"),
    *("mktemp", "mv", "readlink", "rm", "rmdir", "sed", "sort", "stat", "tail", "tr", "uniq"),
)


class Node:
    """`directory` is its root. `put` writes files on it, `program` installs one that prints a text.

    What is installed on this machine is there as well, behind what `program` installs.
    """

    def __init__(self, directory: Path, *, busybox: bool = False) -> None:
        """`busybox`: shell, awk, sed and all the like are its own, as on small systems."""
        self.root = directory / "root"
        self._shell = require_program("busybox") if busybox else require_program("dash")
        self._programs = directory / "bin"
        for made in (self.root / "var/lib", self.root / "home", self._programs):
            made.mkdir(parents=True)
        for applet in ("sh", *_APPLETS) if busybox else ():
            (self._programs / applet).symlink_to(self._shell)
        if busybox:
            self._shell = self._programs / "sh"

    @property
    def environment(self) -> Mapping[str, str]:
        """What programs of this node have in their environment."""
        plain = plain_environment(self.root / "home", ENTREPOT_ROOT=str(self.root))
        return {**plain, "PATH": f"{self._programs}:{plain['PATH']}"}

    def put(self, path: str, text: str) -> Path:
        """Write a file, in directories that are made if they are missing."""
        file = self.root / path.removeprefix("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def text(self, path: str) -> str:
        """What is in a file, with the directory that stands for / taken out."""
        return (self.root / path.removeprefix("/")).read_text().replace(str(self.root), "")

    def program(self, name: str, prints: str) -> None:
        """Install a program that prints this, whatever it is asked."""
        self._install(name, f"#!/bin/sh\ncat <<'END'\n{prints}\nEND\n")

    def containerd(self, version: str, default: str = "") -> None:
        """Install a containerd of this version; `default` is its configuration without a file."""
        self._install("containerd", _CONTAINERD.format(version=version, default=default))

    def _install(self, name: str, text: str) -> None:
        program = self._programs / name
        program.write_text(text)
        program.chmod(0o755)

    async def run(self, script: str, *words: str) -> str:
        """Run a script with these words after it, as `curl | sh -s --` does.

        What it printed; RuntimeError with all that it said when it fails.
        """
        file = self._programs.parent / "script.sh"
        file.write_text(script)
        return await self.command(self._shell, file, *words)

    async def command(self, *command: str | Path) -> str:
        """Run any program on it, its complaints among what is given back."""
        merged = ("/bin/sh", "-c", 'exec "$@" 2>&1', "sh")
        return await run(*merged, *command, environment=self.environment)

    def tree(self) -> dict[str, tuple[int, bytes]]:
        """Every file and directory below the root: mode, and content of the files."""
        found = {}
        for path in sorted(self.root.rglob("*")):
            mode = stat.S_IMODE(path.lstat().st_mode)
            content = path.read_bytes() if path.is_file() else b""
            found[str(path.relative_to(self.root))] = (mode, content)
        return found
