"""What is given to service managers and clusters is what they understand, and fits us."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from entrepot.cli import _COMMANDS
from entrepot.config import Settings, load_settings
from programs import require_program

ROOT = Path(__file__).parents[2]
SYSTEMD = ROOT / "config" / "systemd"
KUBERNETES = ROOT / "config" / "kubernetes"


def unit(name: str) -> configparser.RawConfigParser:
    class Repeated(dict[str, Any]):
        """Keys that are there twice keep both values."""

        def __setitem__(self, key: str, value: Any) -> None:
            if isinstance(value, list) and key in self:
                self[key].extend(value)
            else:
                super().__setitem__(key, value)

    parser = configparser.RawConfigParser(strict=False, dict_type=Repeated, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(SYSTEMD / name)
    return parser


def manifests(name: str) -> list[dict[str, Any]]:
    return [one for one in yaml.safe_load_all((KUBERNETES / name).read_text()) if one]


def test_systemd_itself_reads_the_units(tmp_path: Path) -> None:
    analyze = require_program("systemd-analyze")
    for name in ("entrepot.service", "entrepot.socket"):
        text = (SYSTEMD / name).read_text().replace("/opt/entrepot/bin/entrepot", "/bin/true")
        (tmp_path / name).write_text(text)
    files = [tmp_path / "entrepot.service", tmp_path / "entrepot.socket"]
    done = subprocess.run(
        [analyze, "verify", "--man=no", *files], capture_output=True, text=True, check=False
    )
    ours = [line for line in done.stderr.splitlines() if "entrepot" in line]
    assert (done.returncode, ours) == (0, []), done.stderr


def test_systemd_finds_the_service_hardened() -> None:
    analyze = require_program("systemd-analyze")
    words = ("security", "--offline=true", "--threshold=20", SYSTEMD / "entrepot.service")
    done = subprocess.run([analyze, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-300:]


def test_sockets_are_where_the_default_settings_listen() -> None:
    settings = load_settings(environment={})
    assert settings.admin is not None
    opened = unit("entrepot.socket")["Socket"]["ListenStream"].split("\n")
    assert opened == [str(one) for one in settings.listen] + [str(settings.admin)]


def test_the_service_has_time_to_drain_and_room_for_clients() -> None:
    settings, service = Settings(), unit("entrepot.service")["Service"]
    assert int(service["TimeoutStopSec"]) > settings.timeouts.drain
    assert int(service["LimitNOFILE"]) > 2 * settings.clients.connections
    assert service["ExecStart"].split()[1] in _COMMANDS
    assert service["ExecReload"].split()[1] in _COMMANDS


def pod(name: str) -> dict[str, Any]:
    for one in manifests(name):
        if one["kind"] == "Pod":
            return dict(one["spec"])
        if one["kind"] == "Deployment":
            template = one["spec"]["template"]
            selector = one["spec"]["selector"]["matchLabels"]
            assert selector.items() <= template["metadata"]["labels"].items()
            return dict(template["spec"])
    raise AssertionError(f"no pod in {name}")


@pytest.mark.parametrize("name", ["deployment.yaml", "static-pod.yaml"])
def test_pods_are_held_to_little_and_have_what_they_need(name: str) -> None:
    spec = pod(name)
    [container] = spec["containers"]
    security = container["securityContext"]
    assert security["readOnlyRootFilesystem"]
    assert not security["allowPrivilegeEscalation"]
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert spec["securityContext"]["runAsNonRoot"]
    assert str(spec["securityContext"]["runAsUser"]) in (ROOT / "Dockerfile").read_text()
    assert spec["terminationGracePeriodSeconds"] > Settings().timeouts.drain
    assert container["args"][0] == "serve"
    assert container["ports"] == [{"name": "registry", "containerPort": 5000, "hostPort": 5000}]
    volumes = {one["name"] for one in spec["volumes"]}
    mounts = {one["name"]: one["mountPath"] for one in container["volumeMounts"]}
    assert set(mounts) == volumes
    assert mounts["cache"] == str(Settings().cache.path)


def test_the_settings_in_the_cluster_are_right(tmp_path: Path) -> None:
    [settings] = [
        one["data"]["entrepot.yaml"]
        for one in manifests("deployment.yaml")
        if one["kind"] == "ConfigMap"
    ]
    (tmp_path / "entrepot.yaml").write_text(settings)
    assert load_settings(tmp_path / "entrepot.yaml", environment={}).cache.max_size == 50 << 30


def test_compose_asks_for_health() -> None:
    service = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]["entrepot"]
    assert service["healthcheck"]["test"] == ["CMD", "entrepot", "health"]
    found = shutil.which("docker-compose")
    if found is not None:
        words = [found, "-f", str(ROOT / "compose.yaml"), "config", "-q"]
        subprocess.run(words, check=True, capture_output=True)


def test_the_page_speaks_of_files_and_commands_that_are_there() -> None:
    text = (ROOT / "docs" / "run.md").read_text()
    for path in re.findall(r"config/[\w/.-]+\.(?:service|socket|sysusers|yaml)", text):
        assert (ROOT / path).is_file(), path
    said = re.findall(
        r"(?:^    |`|exec entrepot |-u entrepot )entrepot ([a-z-]+)", text, re.MULTILINE
    )
    assert len(said) > 4
    assert set(said) <= set(_COMMANDS)
