"""The scripts, run by a real shell on a node that is a directory."""

from __future__ import annotations

import os
import subprocess
import tomllib
from pathlib import Path

import pytest

from entrepot.setup.client import CLIENTS
from entrepot.setup.plan import File, Merge, Plan
from entrepot.setup.script import SHELL, setup_script
from fakes.registry import FakeRegistry
from programs import require_program
from programs.node import Node
from unit.setup.wishes import HUB, K8S, plan, script, text, wish

PORTS = {K8S: 5002, HUB: 5003}
CONFIG = "/etc/containerd/config.toml"
CERTS_D = "/etc/containerd/certs.d"
VERSIONS = {
    "containerd": "1.7.5",
    "docker": "29.0.1",
    "k3s": "1.31.0",
    "rke2": "1.31.0",
    "microk8s": "1.31.0",
    "k0s": "1.31.0",
    "kind": "0.20.0",
}
FORCE = ("--force",)
OLD = 'version = 2\n[plugins."io.containerd.grpc.v1.cri".registry]\n  config_path = ""\n[grpc]\n'


def version_of(name: str) -> tuple[str, ...]:
    return ("--version", VERSIONS[name]) if name in VERSIONS else ()


@pytest.mark.parametrize("shell", ["dash", "bash"])
@pytest.mark.parametrize("name", CLIENTS)
def test_a_shell_reads_it(name: str, shell: str) -> None:
    text = script(name, wish(ports=PORTS, ca=None))
    subprocess.run([require_program(shell), "-n"], input=text.encode(), check=True)


@pytest.mark.parametrize("name", CLIENTS)
async def test_what_it_writes_is_the_plan_and_all_of_it_can_be_undone(
    name: str, node: Node
) -> None:
    """Run, run again, undone: on an empty node nothing is left, not even a directory."""
    wanted = wish()
    before = node.tree()
    said = await node.run(script(name, wanted), *version_of(name))
    made = plan(name, VERSIONS.get(name, "1.0.0"), wanted)
    home = str(node.root / "home")
    for file in made.files:
        path = file.path.replace("~/", f"{home}/")
        found = (node.root / path.removeprefix("/")).read_text()
        text = f"{file.new}{file.text}".replace("@CRI@", made.cri).replace("@HOME@", home)
        assert found == text.replace("@ROOT@", str(node.root))
        assert f"+++ {path}" in said
    after = node.tree()
    again = await node.run(script(name, wanted), *version_of(name))
    assert "Nothing to change" in again
    assert node.tree() == after
    await node.run(script(name, wanted), "--remove")
    assert node.tree() == before


@pytest.mark.parametrize("name", ["containerd", "docker", "k3s"])
async def test_a_small_system_does_as_well(name: str, tmp_path: Path) -> None:
    """Alpine and many boards have nothing but busybox."""
    node = Node(tmp_path, busybox=True)
    node.program("curl", "{}")
    node.put(CONFIG, OLD)
    node.put("/etc/docker/daemon.json", "{}")
    node.put("/etc/rancher/k3s/registries.yaml", "mirrors:\n  a.b: {}\n")
    before = node.tree()
    await node.run(script(name), *version_of(name))
    assert node.tree() != before
    assert "Nothing to change" in await node.run(script(name), *version_of(name))
    await node.run(script(name), "--remove")
    assert node.tree() == before


async def test_nothing_is_written_when_the_mirror_does_not_answer(tmp_path: Path) -> None:
    node = Node(tmp_path)
    node.containerd("1.7.5")
    before = node.tree()
    with pytest.raises(RuntimeError, match=r"does not answer(.|\n)*nothing was changed"):
        await node.run(script("containerd", wish("127.0.0.1:9")))
    assert node.tree() == before
    await node.run(script("containerd", wish("127.0.0.1:9")), *FORCE)
    assert node.tree() != before


async def test_a_mirror_that_answers_is_enough(tmp_path: Path) -> None:
    node = Node(tmp_path)
    node.containerd("1.7.5")
    async with FakeRegistry() as mirror:
        address = mirror.url.removeprefix("http://")
        said = await node.run(script("containerd", wish("127.0.0.1:9", address)))
    assert f"{mirror.url} answers" in said
    assert "Now: systemctl restart containerd" in said


async def test_a_mirror_that_wants_a_password_answers(tmp_path: Path) -> None:
    node = Node(tmp_path)
    node.containerd("1.7.5")
    async with FakeRegistry(basic_auth=("alice", "secret")) as mirror:
        address = mirror.url.removeprefix("http://")
        said = await node.run(script("containerd", wish(address)))
    assert f"{mirror.url} answers, and wants a password" in said
    assert "Now: systemctl restart containerd" in said


async def test_half_a_script_does_nothing(node: Node) -> None:
    """A download that broke off ends before the last line, the only one that calls anything."""
    node.containerd("1.7.5")
    before = node.tree()
    whole = script("containerd").rstrip("\n")
    await node.run(whole[: whole.rindex("\n")])
    assert node.tree() == before


async def test_a_dry_run_shows_and_changes_nothing(node: Node) -> None:
    node.containerd("1.7.5")
    node.put(CONFIG, "version = 2\n")
    before = node.tree()
    said = await node.run(script("containerd"), "--dry-run")
    assert '+[plugins."io.containerd.grpc.v1.cri".registry]' in said
    assert node.tree() == before
    await node.run(script("containerd"))
    after = node.tree()
    assert f"{CONFIG} would be put back" in await node.run(
        script("containerd"), "--remove", "--dry-run"
    )
    assert node.tree() == after


@pytest.mark.parametrize(
    ("version", "table", "endpoint"),
    [
        ("1.2.14", "cri", ["http://10.0.0.5:5002"]),
        ("1.3.10", "io.containerd.grpc.v1.cri", ["http://10.0.0.5:5000/v2/k8s.gcr.io"]),
        ("1.4.13", "io.containerd.grpc.v1.cri", ["http://10.0.0.5:5000"]),
    ],
)
@pytest.mark.rule("C-1", "C-2")
async def test_the_version_decides(
    version: str, table: str, endpoint: list[str], node: Node
) -> None:
    node.containerd(version)
    await node.run(script("containerd", wish(ports=PORTS)))
    registry = tomllib.loads(node.text(CONFIG))["plugins"][table]["registry"]
    assert registry["mirrors"][K8S] == {"endpoint": endpoint}
    assert not (node.root / CERTS_D.removeprefix("/")).exists()


async def test_a_version_that_nobody_tells(node: Node) -> None:
    node.program("containerd", "no idea")
    with pytest.raises(RuntimeError, match="--version"):
        await node.run(script("containerd"))
    with pytest.raises(RuntimeError, match=r"nothing is known of containerd before 1\.2\.0"):
        await node.run(script("containerd"), "--version", "1.1.8")
    with pytest.raises(RuntimeError, match="not a version"):
        await node.run(script("containerd"), "--version", "1.7;id")
    with pytest.raises(RuntimeError, match="no such option"):
        await node.run(script("containerd"), "--frobnicate")
    assert "--dry-run" in await node.run(script("containerd"), "--help")


@pytest.mark.rule("C-9")
async def test_another_single_directory_is_kept_and_used(node: Node) -> None:
    node.containerd("1.7.5")
    config = '[plugins."io.containerd.grpc.v1.cri".registry]\n  config_path = "/etc/cri/certs.d/"\n'
    node.put(CONFIG, f"version = 2\n{config}")
    said = await node.run(script("containerd"))
    assert node.text(CONFIG) == f"version = 2\n{config}"
    assert 'server = "https://registry.k8s.io"' in node.text(f"/etc/cri/certs.d/{K8S}/hosts.toml")
    assert "restart" not in said


@pytest.mark.rule("C-9")
async def test_two_directories_become_one(node: Node) -> None:
    """The default of containerd 2.2, which it does not part itself."""
    both = "/etc/containerd/certs.d:/etc/docker/certs.d"
    table = '[plugins."io.containerd.cri.v1.images".registry]'
    node.containerd("2.2.1", default=f'version = 3\n{table}\n  config_path = "{both}"\n')
    await node.run(script("containerd"))
    plugins = tomllib.loads(node.text(CONFIG))["plugins"]
    assert plugins["io.containerd.cri.v1.images"]["registry"]["config_path"] == CERTS_D


async def test_the_configuration_that_runs_is_the_one_that_is_changed(node: Node) -> None:
    node.containerd("1.7.5")
    node.put("/opt/containerd.toml", "version = 2\n")
    node.put("/proc/77/cmdline", "/usr/bin/containerd\0--config\0/opt/containerd.toml\0")
    for number, path in enumerate(("/var/lib/rancher/k3s/config.toml", "/srv/a.toml"), start=10):
        node.put(f"/proc/{number}/cmdline", f"/x/containerd\0-c\0{path}\0")
    node.put("/proc/13/cmdline", "/usr/bin/containerd-shim\0--config\0/etc/no.toml\0")
    await node.run(script("containerd"))
    assert "config_path" in node.text("/opt/containerd.toml")
    assert not (node.root / "etc/containerd/config.toml").exists()


async def test_the_only_one_that_runs_counts_wherever_its_file_is(node: Node) -> None:
    node.containerd("1.7.5")
    node.put("/srv/x.toml", "version = 2\n")
    node.put("/proc/11/cmdline", "/x/containerd\0-c\0/srv/x.toml\0")
    assert "containerd runs with /srv/x.toml" in await node.run(script("containerd"))
    assert "config_path" in node.text("/srv/x.toml")
    assert not (node.root / "etc/containerd/config.toml").exists()


async def test_run_again_before_the_restart_it_is_not_in_force(node: Node) -> None:
    node.containerd("1.7.5")
    node.put("/proc/77/cmdline", "/usr/bin/containerd\0")
    os.utime(node.root / "proc/77", (0, 0))
    await node.run(script("containerd"), "--no-restart")
    said = await node.run(script("containerd"), "--no-restart")
    assert "it does not ask http://10.0.0.5:5000 yet" in said
    assert "Now: systemctl restart containerd" in said
    os.utime(node.root / "proc/77", (2**32, 2**32))
    said = await node.run(script("containerd"), "--no-restart")
    assert "asks http://10.0.0.5:5000 already" in said
    assert "Now:" not in said


async def test_one_that_runs_in_a_container_is_none_of_this_node(node: Node) -> None:
    """kind's nodes are such containers: their files are not this machine's."""
    node.containerd("1.7.5")
    node.put("/proc/77/cmdline", "/usr/bin/containerd\0--config\0/etc/other.toml\0")
    for process, space in (("self", "mnt:[1]"), ("77", "mnt:[2]")):
        link = node.root / f"proc/{process}/ns/mnt"
        link.parent.mkdir(parents=True)
        link.symlink_to(space)
    await node.run(script("containerd"))
    assert "config_path" in node.text(CONFIG)
    assert not (node.root / "etc/other.toml").exists()


async def test_what_somebody_has_changed_since_is_left_alone(node: Node) -> None:
    node.containerd("1.7.5")
    await node.run(script("containerd"))
    hosts = f"{CERTS_D}/{K8S}/hosts.toml"
    node.put(hosts, "# mine now\n")
    with pytest.raises(RuntimeError, match="changed by somebody"):
        await node.run(script("containerd"))
    with pytest.raises(RuntimeError, match="left as it is"):
        await node.run(script("containerd"), "--remove")
    assert node.text(hosts) == "# mine now\n"
    await node.run(script("containerd"), "--remove", *FORCE)
    assert not (node.root / "etc").exists()
    assert "Nothing to remove" in await node.run(script("containerd"), "--remove")


HEADER = """
[host."{}".header]
  Authorization = "Basic c2VjcmV0OnNlY3JldA=="
"""


@pytest.mark.parametrize("busybox", [False, True])
async def test_a_password_in_hosts_toml_stays_and_goes_with_the_file(
    busybox: bool, tmp_path: Path
) -> None:
    """The header that the README tells to add, for no script knows the password."""
    node = Node(tmp_path, busybox=busybox)
    node.containerd("1.7.5")
    node.program("curl", "{}")
    hosts = f"{CERTS_D}/{K8S}/hosts.toml"
    one, two = "http://10.0.0.5:5000", "http://10.0.0.9:5000"
    await node.run(script("containerd"))
    node.put(hosts, node.text(hosts) + HEADER.format(one)).chmod(0o600)
    assert "Nothing to change" in await node.run(script("containerd"))
    said = await node.run(script("containerd", wish(one, two)))
    assert "c2VjcmV0" not in said, "not on the screen"
    tables = tomllib.loads(node.text(hosts))["host"]
    assert list(tables) == [one, two]
    assert tables[one]["header"] == {"Authorization": "Basic c2VjcmV0OnNlY3JldA=="}
    assert (node.root / hosts.removeprefix("/")).stat().st_mode & 0o777 == 0o600
    assert "Nothing to change" in await node.run(script("containerd", wish(one, two)))
    node.put(hosts, node.text(hosts) + HEADER.format(two))
    await node.run(script("containerd", wish(two)))
    assert list(tomllib.loads(node.text(hosts))["host"]) == [two], "the other goes with its mirror"
    assert "c2VjcmV0" in node.text(hosts)
    await node.run(script("containerd"), "--remove")
    assert not (node.root / "etc").exists()


async def test_fewer_registries_the_second_time(node: Node) -> None:
    """What is not wanted any more is put back as it was: gone, or as somebody had written it."""
    node.containerd("1.7.5")
    node.put(f"{CERTS_D}/{HUB}/hosts.toml", "# mine\n")
    await node.run(script("containerd", wish(registries=(K8S, HUB, "quay.io"))))
    said = await node.run(script("containerd", wish(registries=(K8S,))))
    assert "docker.io/hosts.toml is not needed any more" in said
    assert node.text(f"{CERTS_D}/{HUB}/hosts.toml") == "# mine\n"
    assert not (node.root / "etc/containerd/certs.d/quay.io/hosts.toml").exists()


async def test_links_stay_links_and_modes_stay_modes(node: Node) -> None:
    node.containerd("1.7.5")
    real = node.put("/opt/config.toml", "version = 2\n")
    real.chmod(0o600)
    link = node.root / "etc/containerd/config.toml"
    link.parent.mkdir(parents=True)
    link.symlink_to(real)
    before = node.tree()
    await node.run(script("containerd"))
    assert link.is_symlink()
    assert "config_path" in real.read_text()
    assert real.stat().st_mode & 0o777 == 0o600
    kept = node.root / "var/lib/entrepot-setup"
    assert kept.stat().st_mode & 0o777 == 0o700, "the copies are for nobody else"
    await node.run(script("containerd"), "--remove")
    assert node.tree() == before


async def test_an_old_registries_conf_is_told_before_podman_breaks(node: Node) -> None:
    """A file in the new format beside one in the old makes podman refuse everything."""
    node.put("/etc/containers/registries.conf", "[registries.search]\nregistries = []\n")
    with pytest.raises(RuntimeError, match="old format"):
        await node.run(script("podman"))


async def test_the_ca_is_copied_where_it_is_looked_for(node: Node) -> None:
    wanted = wish("https://127.0.0.1:9", ca="/etc/lan.pem")
    with pytest.raises(RuntimeError, match=r"no file /etc/lan\.pem"):
        await node.run(script("podman", wanted))
    node.put("/etc/lan.pem", "PEM\n")
    await node.run(script("podman", wanted))
    assert node.text("/etc/containers/certs.d/127.0.0.1:9/ca.crt") == "PEM\n"


def test_what_is_the_same_for_several_versions_is_written_once() -> None:
    found = script("containerd", wish(registries=(K8S,)))
    assert found.count('server = "https://registry.k8s.io"') == 1


def test_a_text_cannot_end_itself() -> None:
    evil = Plan(files=(File("/a", "x\nENTREPOT_EOF\nreboot\n"),))
    client = CLIENTS["podman"]
    with pytest.raises(ValueError, match="end itself"):
        setup_script(
            type(client)("podman", "p", "true", client.thresholds, lambda *_: evil), wish()
        )


def test_every_way_to_merge_has_its_program() -> None:
    assert {f"{one.value}.awk" for one in Merge} - {"whole.awk"} <= set(SHELL)
    assert text("k3s", "1.31.0", "/etc/rancher/k3s/registries.yaml").startswith("mirrors:\n")
