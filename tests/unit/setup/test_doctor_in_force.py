"""The doctor: which scheme a mirror really speaks, and since when containerd runs."""

from __future__ import annotations

import os
from pathlib import Path

from fakes.registry import FakeRegistry
from programs.node import Node
from unit.setup.patient import HOSTS, SANDBOX, Patient


async def test_https_where_http_is_spoken_and_the_reverse_mend_themselves(tmp_path: Path) -> None:
    async with FakeRegistry() as plain, FakeRegistry(tls=True) as secure:
        for number, mirror in enumerate((plain, secure)):
            wrong = ("https" if mirror is plain else "http") + "://" + mirror.url.split("://")[1]
            node = Node(tmp_path / str(number))
            patient = Patient(node, wrong)
            patient.replace(f'  sandbox_image = "{SANDBOX}"\n', "")
            found = await patient.findings()
            assert set(found) == {"wrong-scheme"}
            what, command = found["wrong-scheme"].split("\n      ")
            assert what.startswith(f"{wrong} is asked, but {mirror.url.split(':')[0]} is spoken")
            assert node.text(HOSTS) == patient.hosts
            await node.command("/bin/sh", "-c", command.replace("/etc/", f"{node.root}/etc/"))
            assert mirror.url in node.text(HOSTS)
            assert wrong not in node.text(HOSTS)


async def test_the_beginning_of_a_process_is_not_the_age_of_its_directory(tmp_path: Path) -> None:
    """Which is that of the first look at it, and may be now."""
    async with FakeRegistry() as mirror:
        patient = Patient(Node(tmp_path), mirror.url)
        patient.replace(f'  sandbox_image = "{SANDBOX}"\n', "")
        node = patient.node
        node.put("/proc/7/cmdline", "/usr/bin/containerd\0--config\0/etc/containerd/config.toml\0")
        node.put("/proc/stat", "cpu 1 2\nbtime 1000000000\nctxt 1\n")
        node.put("/proc/7/stat", f"7 (contain erd) S {' 0' * 18} 4200 0 0\n")
        os.utime(node.root / "proc/7", (2**32, 2**32))
        assert set(await patient.findings()) == {"not-restarted"}
        node.put("/proc/stat", f"btime {2**32}\n")
        assert await patient.findings() == {}
