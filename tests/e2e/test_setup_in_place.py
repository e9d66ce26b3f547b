"""The one line with the real /etc: in a mount namespace whose changes nobody else sees."""

from __future__ import annotations

from pathlib import Path

import pytest

from laboratory import Laboratory
from programs import require_program
from programs.containerd import require_root
from programs.daemon import plain_environment, run

pytestmark = pytest.mark.e2e

# Overlays, on a file system in memory that goes with the namespace.
_PRIVATE = """
set -e
mount -t tmpfs none "$1"
for below in etc var/lib; do
  mkdir -p "$1/$below/up" "$1/$below/work"
  mount -t overlay none -o "lowerdir=/$below,upperdir=$1/$below/up,workdir=$1/$below/work" "/$below"
done
mkdir -p /etc/containerd
printf 'version = 2\\n' >/etc/containerd/config.toml
PATH=$2:$PATH
all() { find /etc /var/lib/entrepot-setup -exec ls -ld --time-style=+ {} + 2>/dev/null | sort; }
all >"$1/before"
curl -fsSL "$3/setup/containerd.sh" | sh
containerd config dump | grep config_path
curl -fsSL "$3/setup/node-doctor.sh" | sh -s -- k8s.gcr.io/pause:3.1 || :
sh /var/lib/entrepot-setup/containerd/undo.sh --remove
all | diff "$1/before" - && echo nothing is left
"""


@pytest.mark.rule("C-4", "C-9")
async def test_where_a_person_would_run_it(laboratory: Laboratory, tmp_path: Path) -> None:
    """containerd is restarted if systemd runs it, which a stand-in for systemctl says it does."""
    require_root()
    calls = tmp_path / "calls"
    programs = tmp_path / "programs"
    programs.mkdir()
    (tmp_path / "private").mkdir()
    systemctl = programs / "systemctl"
    systemctl.write_text(f'#!/bin/sh\necho "$*" >>{calls}\n')
    systemctl.chmod(0o755)
    said = await run(
        require_program("unshare"),
        *("--mount", "/bin/sh", "-c", _PRIVATE, "sh", tmp_path / "private", programs),
        laboratory.url,
        environment=plain_environment(tmp_path),
    )
    assert '+[plugins."io.containerd.grpc.v1.cri".registry]' in said
    assert 'config_path = "/etc/containerd/certs.d"' in said
    assert "ok  the mirror has k8s.gcr.io/pause:3.1 for linux/" in said
    assert said.endswith("nothing is left\n")
    asked = calls.read_text().splitlines()
    assert asked == ["-q is-active containerd", "restart containerd"] * 2
