"""A small Debian with Python, as tar: stands in for the image the Dockerfile starts from.

Debian comes from the mirror this machine's own apt uses, and pip in it asks where this machine's
pip asks: the only way out of many a network, and nothing that a test may have written in it.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import ssl
import subprocess
import sys
from pathlib import Path

import pytest

from programs import require_program
from programs.containerd import unmount_below
from programs.daemon import plain_environment

_SUITE = "bookworm"
_PACKAGES = ("python3", "python3-venv")
_NOT_NEEDED = ("./var/cache/apt", "./var/lib/apt/lists", "./usr/share/doc", "./usr/share/locale")
_CERTIFICATES = "etc/ssl/certs/ca-certificates.crt"
# What says where pip looks. Files and directories of this machine are not in the image.
_PIP_KEYS = ("index-url", "extra-index-url", "trusted-host", "proxy", "timeout")
_DEBOOTSTRAP_S = 150.0


def debian_with_python(directory: Path) -> Path:
    """Make the tar in `directory`, in about a minute; the directories it is made of are gone then.

    Skips the test where debootstrap, apt or the right to use them is missing. RuntimeError with
    debootstrap's output when it fails.
    """
    debootstrap = require_program("debootstrap")
    if os.geteuid() != 0:
        pytest.skip("debootstrap needs root")
    root = directory / "debian"
    environment = plain_environment(directory, **_apt_proxy())
    packages = f"--include={','.join(_PACKAGES)}"
    command = (debootstrap, "--variant=minbase", packages, _SUITE, root, _debian_mirror())
    try:
        _run(*command, log=directory / "debootstrap.log", environment=environment)
        (root / _CERTIFICATES).parent.mkdir(parents=True, exist_ok=True)
        (root / _CERTIFICATES).write_bytes(_certificates())
        (root / "etc" / "pip.conf").write_text(_pip_configuration())
        archive = directory / "debian.tar"
        left_out = [f"--exclude={path}/*" for path in _NOT_NEEDED]
        subprocess.run(["tar", "-C", root, *left_out, "-cf", archive, "."], check=True)
    finally:
        unmount_below(root)
        shutil.rmtree(root, ignore_errors=True)
    return archive


def _run(*command: str | Path, log: Path, environment: dict[str, str]) -> None:
    """Run it with everything it starts in one process group, of which nothing survives."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=output, env=environment, start_new_session=True
        )
        try:
            status = process.wait(_DEBOOTSTRAP_S)
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    if status != 0:
        raise RuntimeError(f"{command[0]}: status {status}\n{log.read_text(errors='replace')}")


def _debian_mirror() -> str:
    apt_get = require_program("apt-get")
    targets = _output(
        apt_get, "indextargets", "--format", "$(SITE)", "Origin: Debian", "Label: Debian"
    )
    if not targets:
        pytest.skip("apt knows no mirror of Debian (apt-get update?)")
    return targets.splitlines()[0]


def _apt_proxy() -> dict[str, str]:
    told = _output(require_program("apt-config"), "shell", "http_proxy", "Acquire::http::Proxy")
    return dict(word.split("=", 1) for word in shlex.split(told))


def _pip_configuration() -> str:
    """Write the machine's pip configuration, of file, user and environment, as one pip.conf."""
    lines = [f"cert = /{_CERTIFICATES}"]
    for key, value in _pip_settings().items():
        words = [word for word in value.split() if not word.startswith(("/", "file:"))]
        if key in _PIP_KEYS and words:
            lines.append(f"{key} = {' '.join(words)}")
    return "\n".join(["[global]", *lines, ""])


def _certificates() -> bytes:
    """Read the certificates this machine trusts."""
    file = _pip_settings().get("cert") or ssl.get_default_verify_paths().cafile
    if file is None:
        pytest.skip("there is no file of trusted certificates")
    return Path(file).read_bytes()


def _pip_settings() -> dict[str, str]:
    found: dict[str, str] = {}
    for line in _output(sys.executable, "-m", "pip", "config", "list").splitlines():
        name, _, value = line.partition("=")
        # ":env:.timeout" wins over "global.timeout", and is listed before it.
        found.setdefault(name.rpartition(".")[2], shlex.split(value)[0])
    return found


def _output(*command: str | Path) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
