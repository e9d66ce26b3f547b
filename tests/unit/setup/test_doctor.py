"""The doctor: a healthy node has nothing, and of each planted mistake it finds just that."""

from __future__ import annotations

import os
import subprocess
import tomllib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from entrepot.setup.client import CLIENTS
from entrepot.setup.doctor import doctor_script
from entrepot.setup.script import setup_script
from fakes.images import image, index
from fakes.registry import FakeRegistry
from programs import require_program
from programs.node import Node
from unit.setup.patient import CERTS_D, CONFIG, CRI, HOSTS, IMAGES, SANDBOX, Patient
from unit.setup.wishes import wish

PLATFORMS = ("linux/amd64", "linux/arm64")


@pytest.fixture
async def patient(tmp_path: Path) -> AsyncIterator[Patient]:
    async with FakeRegistry() as mirror:
        both = [image("pause", platform=one) for one in PLATFORMS]
        mirror.put_image("pause", "3.9", index(both))
        mirror.put_image("only", "1", image("only", platform="linux/amd64"))
        mirror.put_image("amd", "1", index([image("amd", platform="linux/amd64")]))
        yield Patient(Node(tmp_path), mirror.url)


async def test_a_healthy_node(patient: Patient) -> None:
    assert await patient.findings() == {}
    assert await patient.findings(SANDBOX) == {}


@pytest.mark.rule("C-9")
async def test_before_2_1_several_directories_are_looked_at(patient: Patient) -> None:
    patient.replace(CERTS_D, f"/etc/docker/certs.d:{CERTS_D}")
    assert await patient.findings() == {}
    patient.hosts = patient.hosts.replace(', "resolve"', "")
    assert set(await patient.findings()) == {"hosts-resolve"}
    (patient.node.root / HOSTS.removeprefix("/")).unlink()
    patient.hosts = ""
    assert set(await patient.findings()) == {"no-mirror"}


@pytest.mark.parametrize(
    ("words", "finding"),
    [
        (("pull", "resolve"), ""),
        (("pull",), "hosts-resolve"),
        (("pull", "resolve", "referrers"), "hosts-capability"),
    ],
)
@pytest.mark.rule("C-5")
async def test_a_list_of_capabilities_over_several_lines(
    words: tuple[str, ...], finding: str, patient: Patient
) -> None:
    """It is as good as any; where it is not, the command that is told mends it."""
    listed = "".join(f'\n    "{word}",' for word in words)
    patient.hosts = (
        f'[host."{patient.mirror}"]\n  capabilities = [{listed}\n  ]\n  dial_timeout = "1s"\n'
    )
    found = await patient.findings()
    assert set(found) == ({finding} if finding else set())
    for text in found.values():
        command = text.splitlines()[1].strip()
        await patient.node.command(
            "/bin/sh", "-c", command.replace("/etc", f"{patient.node.root}/etc")
        )
        mended = tomllib.loads(patient.node.text(HOSTS))["host"][patient.mirror]
        assert mended == {"capabilities": ["pull", "resolve"], "dial_timeout": "1s"}


async def test_a_mirror_that_wants_a_password_is_no_finding(tmp_path: Path) -> None:
    """The node has it in hosts.toml; this does not look for it there."""
    async with FakeRegistry(basic_auth=("alice", "secret")) as mirror:
        patient = Patient(Node(tmp_path), mirror.url)
        patient.hosts += f'  [host."{mirror.url}".header]\n    Authorization = "Basic YTpi"\n'
        assert await patient.findings() == {}


def nothing(patient: Patient) -> None:
    patient.settings = patient.hosts = ""


def path_unset(patient: Patient) -> None:
    patient.replace(f'config_path = "{CERTS_D}"', 'config_path = ""')


def path_wrong(patient: Patient) -> None:
    patient.replace(CERTS_D, "/etc/containerd/cert.d")


def path_list(patient: Patient) -> None:
    patient.version = "2.2.1"
    patient.replace(CERTS_D, f"{CERTS_D}:/etc/docker/certs.d")


def legacy_too(patient: Patient) -> None:
    patient.settings += f'[{CRI}.registry.mirrors."docker.io"]\n  endpoint = ["http://m:5000"]\n'


def no_version(patient: Patient) -> None:
    patient.replace("version = 2\n", "")


def wrong_table(patient: Patient) -> None:
    patient.settings += f'[{IMAGES}.registry]\n  config_path = "{CERTS_D}"\n'


def cri_off(patient: Patient) -> None:
    (patient.node.root / "var/lib/kubelet").mkdir(parents=True)
    patient.replace("version = 2\n", 'version = 2\ndisabled_plugins = ["cri"]\n')


def other_file(patient: Patient) -> None:
    patient.node.put("/opt/c.toml", patient.settings.replace('"/etc', f'"{patient.node.root}/etc'))
    patient.node.put("/proc/7/cmdline", "/usr/bin/containerd\0--config=/opt/c.toml\0")


def not_restarted(patient: Patient) -> None:
    patient.node.put("/proc/7/cmdline", "/usr/bin/containerd\0")
    os.utime(patient.node.root / "proc/7", (0, 0))


def proxied(patient: Patient) -> None:
    patient.node.put("/proc/7/cmdline", "/usr/bin/containerd\0")
    patient.node.put("/proc/7/environ", "HTTP_PROXY=http://p:1\0NO_PROXY=localhost\0")
    os.utime(patient.node.root / "proc/7", (2**32, 2**32))


def capability(patient: Patient) -> None:
    patient.hosts = patient.hosts.replace('"resolve"', '"resolve", "referrers"')


def no_resolve(patient: Patient) -> None:
    patient.hosts = patient.hosts.replace(', "resolve"', "")


def table_twice(patient: Patient) -> None:
    patient.hosts += patient.hosts


def no_table(patient: Patient) -> None:
    patient.hosts = f'server = "{patient.mirror}"\n'


def wrong_path(patient: Patient) -> None:
    url = f"{patient.mirror}/google_containers"
    patient.node.put(f"{CERTS_D}/quay.io/hosts.toml", f'[host."{url}"]\n')


def other_name(patient: Patient) -> None:
    patient.node.put(f"{CERTS_D}/quay.io/host.toml", patient.hosts)


def hub_by_its_host(patient: Patient) -> None:
    patient.node.put(f"{CERTS_D}/registry-1.docker.io/hosts.toml", patient.hosts)


def early_default(patient: Patient) -> None:
    patient.version = "1.6.16"
    patient.node.put(f"{CERTS_D}/_default/hosts.toml", patient.hosts)


def another_mirror(patient: Patient) -> None:
    patient.hosts = patient.hosts.replace(patient.mirror, "http://127.0.0.1:9")


def sandbox_nowhere(patient: Patient) -> None:
    patient.replace(SANDBOX, "k8s.gcr.io/pause:9.9")


def sandbox_of_another_platform(patient: Patient) -> None:
    patient.replace(SANDBOX, "k8s.gcr.io/only:1")


def index_of_another_platform(patient: Patient) -> None:
    patient.replace(SANDBOX, "k8s.gcr.io/amd:1")


def kubelet_says_otherwise(patient: Patient) -> None:
    flags = 'KUBELET_KUBEADM_ARGS="--pod-infra-container-image=registry.k8s.io/pause:3.10"\n'
    patient.node.put("/var/lib/kubelet/kubeadm-flags.env", flags)


def image_repository(patient: Patient) -> None:
    manifest = "/etc/kubernetes/manifests/kube-apiserver.yaml"
    patient.node.put(manifest, "image: registry.aliyuncs.com/google/kube-apiserver:v1.30.0\n")


def k3s_reads_nothing(patient: Patient) -> None:
    (patient.node.root / "var/lib/rancher/k3s/agent").mkdir(parents=True)
    yaml = f'mirrors: {{"*": {{endpoint: ["{patient.mirror}"]}}}}\n'
    patient.node.put("/etc/rancher/k3s/registries.yaml", yaml)


def docker_without_a_scheme(patient: Patient) -> None:
    patient.node.put("/etc/docker/daemon.json", '{"registry-mirrors": ["m:5000"]}')


def docker_with_a_path(patient: Patient) -> None:
    patient.node.program("dockerd", "Docker version 20.10.24, build 1")
    patient.node.put("/etc/docker/daemon.json", '{"registry-mirrors": ["http://m:5000/docker.io"]}')


def k3s_of_another_mirror(patient: Patient) -> None:
    nothing_of_containerd(patient)
    (patient.node.root / "var/lib/rancher/k3s/agent").mkdir(parents=True)
    patient.node.put("/etc/rancher/k3s/registries.yaml", "mirrors: {}\n")


def docker_without_a_mirror(patient: Patient) -> None:
    nothing_of_containerd(patient)
    patient.node.put(CONFIG, 'disabled_plugins = ["cri"]\n')
    patient.node.put("/etc/docker/daemon.json", "{}")


def nothing_of_containerd(patient: Patient) -> None:
    """Docker's package: its CRI is off, and nobody is the worse for it."""
    patient.settings = patient.hosts = ""
    patient.node.program("dockerd", "Docker version 28.0.0, build 1")
    patient.node.put(CONFIG, 'disabled_plugins = ["cri"]\n')
    url = f"{patient.mirror}/docker.io"
    patient.node.put("/etc/docker/daemon.json", f'{{"registry-mirrors": ["{url}"]}}')


def microk8s_as_it_comes(patient: Patient) -> None:
    nothing_of_containerd(patient)
    mine = '[host."https://registry-1.docker.io"]\n'
    patient.node.put("/var/snap/microk8s/current/args/certs.d/docker.io/hosts.toml", mine)


def an_image_where_microk8s_does_not_look(patient: Patient) -> None:
    """The night that this project began with."""
    microk8s_as_it_comes(patient)
    patient.node.put("/var/snap/microk8s/current/args/certs.d/a/hosts.toml", patient.mirror)
    program = patient.node.root.parent / "bin" / "microk8s"
    there = "case $3 in default) echo k8s.gcr.io/pause:3.1; echo docker.io/mine:1 ;; esac"
    program.write_text(f'#!/bin/sh\n[ "$1 $2" = "ctr --namespace" ] || exit 1\n{there}\n')
    program.chmod(0o755)


def k0s_as_it_comes(patient: Patient) -> None:
    nothing_of_containerd(patient)
    (patient.node.root / "var/lib/k0s").mkdir(parents=True)


def k0s_without_a_path(patient: Patient) -> None:
    k0s_as_it_comes(patient)
    patient.node.put("/etc/k0s/certs.d/k8s.gcr.io/hosts.toml", f'[host."{patient.mirror}"]\n')


def k0s_of_another_mirror(patient: Patient) -> None:
    k0s_as_it_comes(patient)
    patient.node.put("/etc/k0s/certs.d/k8s.gcr.io/hosts.toml", '[host."http://m:5000"]\n')
    patient.node.put("/etc/k0s/containerd.d/a.toml", '  config_path = "/etc/k0s/certs.d"\n')


def old_registries_conf(patient: Patient) -> None:
    patient.node.put("/etc/containers/registries.conf", "[registries.search]\n")
    patient.node.put("/etc/containers/registries.conf.d/a.conf", "\n")


@pytest.mark.parametrize("name", ["microk8s", "k0s"])
async def test_a_healthy_node_with_a_containerd_of_its_own(name: str, patient: Patient) -> None:
    """Set up by our own script; and not said to have no runtime at all."""
    (microk8s_as_it_comes if name == "microk8s" else k0s_as_it_comes)(patient)
    patient.node.program("curl", "{}")
    await patient.node.run(setup_script(CLIENTS[name], wish(patient.mirror)), "--version", "1.31.0")
    (patient.node.root.parent / "bin/curl").unlink()
    assert await patient.findings() == {}


async def test_a_healthy_node_with_docker_alone(patient: Patient) -> None:
    nothing_of_containerd(patient)
    assert await patient.findings() == {}


PLANTED: dict[Callable[[Patient], None], set[str]] = {
    nothing: {"no-mirror"},
    path_unset: {"config-path-unset"},
    path_wrong: {"config-path-wrong"},
    path_list: {"config-path-list"},
    legacy_too: {"mirrors-and-config-path"},
    no_version: {"table-unread"},
    wrong_table: {"table-unread"},
    cri_off: {"cri-off"},
    other_file: {"config-ignored"},
    not_restarted: {"not-restarted"},
    proxied: {"proxy"},
    capability: {"hosts-capability"},
    no_resolve: {"hosts-resolve"},
    table_twice: {"hosts-twice"},
    no_table: {"hosts-empty"},
    wrong_path: {"hosts-path"},
    other_name: {"hosts-name"},
    hub_by_its_host: {"hosts-directory"},
    early_default: {"hosts-default"},
    another_mirror: {"mirror-down", "mirror-unused"},
    sandbox_nowhere: {"image-missing"},
    sandbox_of_another_platform: {"platform-missing"},
    index_of_another_platform: {"platform-missing"},
    kubelet_says_otherwise: {"sandbox-differs"},
    image_repository: {"sandbox-not-moved"},
    k3s_reads_nothing: {"k3s-ignores"},
    k3s_of_another_mirror: {"mirror-unused"},
    microk8s_as_it_comes: {"mirror-unused"},
    an_image_where_microk8s_does_not_look: {"wrong-namespace"},
    k0s_as_it_comes: {"no-mirror"},
    k0s_without_a_path: {"config-path-unset"},
    k0s_of_another_mirror: {"mirror-unused"},
    docker_without_a_mirror: {"no-mirror"},
    docker_without_a_scheme: {"docker-scheme"},
    docker_with_a_path: {"docker-path"},
    old_registries_conf: {"registries-format"},
}


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: str(plant.__name__))
@pytest.mark.rule("C-2", "C-4", "C-5", "C-9")
async def test_each_planted_mistake_is_found_and_nothing_else(
    plant: Callable[[Patient], None], patient: Patient
) -> None:
    plant(patient)
    found = await patient.findings()
    assert set(found) == PLANTED[plant]
    for text in found.values():
        assert "\n      " in text, "no command that mends it"


async def test_the_mirror_tells_why_it_has_not_got_an_image(patient: Patient) -> None:
    sandbox_nowhere(patient)
    text = (await patient.findings())["image-missing"]
    assert "k8s.gcr.io/pause:9.9: manifest unknown" in text, text


@pytest.mark.rule("C-9")
async def test_the_default_of_2_2_is_a_list_without_any_file(patient: Patient) -> None:
    patient.settings = ""
    patient.version = "2.2.1"
    patient.default = f'[{IMAGES}.registry]\n  config_path = "{CERTS_D}:/etc/docker/certs.d"\n'
    assert set(await patient.findings()) == {"config-path-list"}


async def test_a_node_without_any_runtime(tmp_path: Path) -> None:
    node = Node(tmp_path)
    script = doctor_script(None).replace(
        "has() {", "has() { case $1 in curl) ;; *) return 1; esac;"
    )
    with pytest.raises(RuntimeError, match="no-runtime"):
        await node.run(script)
    assert "IMAGE" in await node.run(doctor_script(None), "--help")
    (node.root / "var/snap/microk8s/current/args").mkdir(parents=True)
    assert "nothing wrong was found" in await node.run(script)


@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_a_shell_reads_it(shell: str) -> None:
    subprocess.run([require_program(shell), "-n"], input=doctor_script(wish()).encode(), check=True)
