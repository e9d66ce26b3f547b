"""`entrepot setup`, as a person types it."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from entrepot.cli import main
from entrepot.cli.setup import run_script
from programs.node import Node

HOSTS = "/etc/containerd/certs.d/quay.io/hosts.toml"
OPTIONS = ("--registry", "quay.io", "--version", "1.7.0")


def typed(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["setup", *words])
    return result.exit_code, result.output


def test_the_files_are_printed() -> None:
    status, said = typed("containerd", "10.0.0.5:5000", *OPTIONS, "--strict")
    assert status == 0
    first = said.split("# /etc/containerd/config.toml")[0]
    assert first.startswith(f"# {HOSTS}\n")
    assert tomllib.loads(first)["server"] == "http://10.0.0.5:5000"


def test_the_registries_are_those_of_the_settings(tmp_path: Path) -> None:
    file = tmp_path / "entrepot.yaml"
    file.write_text(
        "listen: ['0.0.0.0:5000', {address: '0.0.0.0:5002', registry: k8s.gcr.io}]\n"
        "registries: {a.example: {mirrors: [https://a.example]}}\n"
    )
    _, said = typed("containerd", "m:5000", "--version", "1.7.0", "--config", str(file))
    assert "certs.d/a.example/hosts.toml" in said
    _, said = typed("containerd", "m:5000", "--version", "1.2.0", "--config", str(file))
    assert '"k8s.gcr.io"]\n  endpoint = ["http://m:5002"]' in said
    assert '"registry.k8s.io"]\n  endpoint = ["http://m:5002"]' in said
    _, said = typed("containerd", "m:5000", "--version", "1.2.0", "--port", "quay.io=5004")
    assert '"quay.io"]\n  endpoint = ["http://m:5004"]' in said


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("containerd",), "which mirror?"),
        (("containerd", "a;b"), "not the address"),
        (("containerd", "m", "--registry", "a/b"), "not the name"),
        (("containerd", "m", "--version", "x"), "not a version"),
        (("containerd", "m", "--version", "1.1"), "nothing is known"),
        (("docker", "m", "--version", "20.10"), "Docker before 25"),
        (("containerd", "m", "--port", "k8s.gcr.io"), "write k8s.gcr.io=5002"),
        (("containerd", "m", "--port", "k8s.gcr.io=70000"), "write k8s.gcr.io=5002"),
        (("nothing", "m"), "nothing"),
        (("containerd", "m", "--config", "/nowhere.yaml"), "nowhere"),
    ],
)
def test_what_cannot_be_is_told(words: tuple[str, ...], complaint: str) -> None:
    status, said = typed(*words)
    assert status != 0
    assert complaint in said


def test_without_the_client_the_newest_is_meant() -> None:
    status, said = typed("k3s", "m:5000", "--registry", "quay.io")
    assert status == 0
    assert "k3s is not here: for 1.19.0 and later" in said


def test_it_asks_the_client_that_is_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    node = Node(tmp_path)
    node.containerd("1.4.13")
    monkeypatch.setenv("PATH", node.environment["PATH"])
    assert "registry.mirrors" in typed("containerd", "m:5000", "--registry", "quay.io")[1]


async def test_it_writes_and_removes_what_the_servers_script_does(tmp_path: Path) -> None:
    node = Node(tmp_path)
    node.program("curl", "{}")
    entrepot = (sys.executable, "-m", "entrepot", "setup", "containerd")
    before = node.tree()
    assert "Nothing was changed" in await node.command(
        *entrepot, "m:5000", *OPTIONS, "--write", "--dry-run"
    )
    assert node.tree() == before
    said = await node.command(*entrepot, "m:5000", *OPTIONS, "--write")
    assert "Now: systemctl restart containerd" in said
    assert '[host."http://m:5000"]' in node.text(HOSTS)
    await node.command(*entrepot, "--remove")
    assert node.tree() == before


def test_the_scripts_status_is_the_commands(capfd: pytest.CaptureFixture[str]) -> None:
    assert run_script('echo "$1"; exit 3', ["--x"]) == 3
    assert capfd.readouterr().out == "--x\n"
    help_text = subprocess.run(
        [sys.executable, "-m", "entrepot", "setup", "--help"], check=True, capture_output=True
    ).stdout
    assert b"--strict" in help_text
