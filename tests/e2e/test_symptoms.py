"""What people see when a pull fails, from the programs themselves: docs/troubleshooting.md."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest
import trustme

from fakes.images import Index, image, index
from fakes.registry import FakeRegistry, Fault
from laboratory import IMAGE, Laboratory, hosts_toml
from programs import require_program
from programs.containerd import Containerd
from programs.daemon import plain_environment, run
from programs.dockerd import Dockerd
from programs.entrepot import PLAIN_TRUST, Entrepot
from programs.podman import Podman, mirrored
from programs.ports import Port
from symptoms import PAGE, missing

pytestmark = pytest.mark.e2e

Seen = Callable[..., None]
PAUSE = "v2/pause/manifests/3.1?ns=k8s.gcr.io"
FOREIGN = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00\xb7\x00" + bytes(100)
"""The beginning of a program for arm64."""


@pytest.fixture
def seen(request: pytest.FixtureRequest) -> Seen:
    """Tells that the page's texts for this test are in what was said."""

    def check(*said: str) -> None:
        text = "\n".join(said)
        print(text)
        assert missing(PAGE.read_text(), request.node.originalname, text) == []

    return check


async def refusal(call: Awaitable[object]) -> str:
    """What a call that must fail says."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return f"rpc error: code = {error.code().name.title()} desc = {error.details()}"
    except RuntimeError as error:
        return str(error)
    raise AssertionError("it did not fail")


async def curl(url: str) -> str:
    program = require_program("curl")
    return await run(program, "-sk", url, environment=plain_environment(Path("/")))


@asynccontextmanager
async def served(
    directory: Path,
    mirror: FakeRegistry,
    registry: Mapping[str, object] | None = None,
    **settings: object,
) -> AsyncIterator[Entrepot]:
    """An Entrepot with this one mirror for k8s.gcr.io and for Docker Hub, and no other registry."""
    one = {"mirrors": [mirror.url], **(registry or {})}
    others = dict.fromkeys(("quay.io", "ghcr.io", "gcr.io", "mcr.microsoft.com"))
    registries = {"registry.k8s.io": {"aliases": ["k8s.gcr.io"], **one}, "docker.io": one, **others}
    async with Entrepot({"registries": registries, **settings}, directory / "entrepot") as entrepot:
        yield entrepot


@asynccontextmanager
async def strict(directory: Path, url: str, registry: str = "k8s.gcr.io") -> AsyncIterator[Node]:
    """A containerd that asks nobody but `url`."""
    async with Containerd(directory / "node", sandbox_image=IMAGE) as node:
        node.hosts_toml(registry, hosts_toml(url, only=True))
        yield Node(node)


class Node:
    """What a kubelet and a person at the terminal hear of a failing pull."""

    def __init__(self, containerd: Containerd) -> None:
        self.containerd = containerd

    async def refused(self, name: str = IMAGE) -> str:
        async with self.containerd.cri() as cri:
            return await refusal(cri.pull_image(name))

    async def no_pod(self) -> str:
        async with self.containerd.cri() as cri:
            return await refusal(cri.run_pod_sandbox("coredns"))


async def test_the_registry_itself_is_asked(laboratory: Laboratory, seen: Seen) -> None:
    async with laboratory.node() as node:
        seen(await Node(node).no_pod())
    assert laboratory.outside.asked
    laboratory.outside.asked.clear()


async def test_nobody_listens_there(tmp_path: Path, seen: Seen) -> None:
    with Port() as port:
        async with strict(tmp_path, f"http://{port}") as node:
            seen(await node.refused())


async def test_https_where_http_is_spoken(
    laboratory: Laboratory, tmp_path: Path, seen: Seen
) -> None:
    conf = mirrored("docker.io", laboratory.host).replace("insecure = true", "")
    async with (
        strict(tmp_path, f"https://{laboratory.host}") as node,
        Podman(tmp_path / "podman", conf, environment=laboratory.environment) as podman,
    ):
        seen(await node.refused(), await refusal(podman.podman("pull", "docker.io/x:1")))
    laboratory.outside.asked.clear()


async def test_a_certificate_that_nobody_knows(tmp_path: Path, seen: Seen) -> None:
    authority = trustme.CA()
    leaf = authority.issue_cert("127.0.0.1")
    leaf.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    leaf.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
    with Port() as port:
        tls = {"certificate": str(tmp_path / "cert.pem"), "key": str(tmp_path / "key.pem")}
        listen = [{"address": str(port), "tls": tls}]
        async with (
            FakeRegistry() as mirror,
            served(tmp_path, mirror, listen=listen),
            strict(tmp_path, f"https://{port}") as node,
        ):
            unknown = await node.refused()
            node.containerd.hosts_toml("k8s.gcr.io", hosts_toml(f"http://{port}", only=True))
            seen(unknown, await node.refused())


async def test_nobody_has_it(tmp_path: Path, seen: Seen) -> None:
    async with (
        FakeRegistry() as mirror,
        served(tmp_path, mirror) as entrepot,
        strict(tmp_path, entrepot.url) as node,
    ):
        seen(await node.refused("k8s.gcr.io/pause:9.9"))


async def test_what_curl_tells_of_it(tmp_path: Path, seen: Seen) -> None:
    paths = (
        "pause/manifests/9.9?ns=k8s.gcr.io",
        "app/manifests/1?ns=registry.example.com",
        "pause/manifests/3.1",
    )
    async with FakeRegistry() as mirror, served(tmp_path, mirror) as entrepot:
        seen(*[await curl(f"{entrepot.url}/v2/{path}") for path in paths])


async def test_nothing_says_which_registry(tmp_path: Path, seen: Seen) -> None:
    async with (
        FakeRegistry() as mirror,
        served(tmp_path, mirror) as entrepot,
        Containerd(tmp_path / "node") as node,
        Dockerd(tmp_path / "dockerd", node, mirrors=[entrepot.url]) as dockerd,
    ):
        seen(await refusal(dockerd.pull("nginx", "1.27")))


async def test_no_mirror_answers(tmp_path: Path, seen: Seen) -> None:
    faults = (
        Fault("status", status=500, times=None),
        Fault("status", status=403, times=None),
        Fault("html", times=None),
        Fault("silent", times=None),
    )
    said = []
    for number, fault in enumerate(faults):
        directory = tmp_path / str(number)
        async with FakeRegistry() as mirror:
            mirror.fault(fault)
            timeouts = {"headers": "3s", "overtake": "1s"}
            async with served(directory, mirror, timeouts=timeouts) as entrepot:
                async with strict(directory, entrepot.url) as node:
                    said.append(await node.refused())
                said.append(await curl(f"{entrepot.url}/{PAUSE}"))
    seen(*said)


async def test_a_mirror_wants_us_to_wait(tmp_path: Path, seen: Seen) -> None:
    async with FakeRegistry() as mirror, served(tmp_path, mirror) as entrepot:
        mirror.fault(Fault("status", status=429, times=None, headers={"Retry-After": "120"}))
        async with strict(tmp_path, entrepot.url) as node:
            said = await node.refused()
        seen(said, await curl(f"{entrepot.url}/{PAUSE}"))


async def test_another_digest_than_the_pin(tmp_path: Path, pause_index: Index, seen: Seen) -> None:
    pins = tmp_path / "our-pins.yaml"
    wanted = f"registry.k8s.io/pause:3.1: sha256:{'ab' * 32}"
    pins.write_text(f"schema: 1\nsource: a test\ndate: 2026-11-28\npins:\n  {wanted}\n")
    trust = {**PLAIN_TRUST, "policies": {}, "pins": [str(pins)]}
    async with FakeRegistry() as mirror:
        mirror.put_image("pause", "3.1", pause_index)
        async with served(tmp_path, mirror, trust=trust) as entrepot:
            async with strict(tmp_path, entrepot.url) as node:
                said = await node.refused()
            seen(said, await curl(f"{entrepot.url}/{PAUSE}"))


async def test_offline_and_not_all_of_it_here(
    tmp_path: Path, pause_index: Index, seen: Seen
) -> None:
    path = "v2/pause/manifests"
    async with FakeRegistry() as mirror:
        mirror.put_image("pause", "3.1", pause_index)
        async with served(tmp_path, mirror) as entrepot:
            for name in ("3.1", *(str(one.digest) for one in pause_index.images)):
                await curl(f"{entrepot.url}/{path}/{name}?ns=k8s.gcr.io")
        async with served(tmp_path, mirror, offline=True) as entrepot:
            async with strict(tmp_path, entrepot.url) as node:
                said = [await node.refused(), await node.refused("k8s.gcr.io/pause:3.2")]
            for name in ("3.1", "3.2"):
                said.append(await curl(f"{entrepot.url}/{path}/{name}?ns=k8s.gcr.io"))
            seen(*said)


async def test_not_for_this_platform(tmp_path: Path, seen: Seen) -> None:
    other = image("other", platform="linux/arm64", rootfs={"pause": (0o755, FOREIGN)})
    async with FakeRegistry() as mirror:
        mirror.put_image("pause", "3.1", index([other]))
        async with served(tmp_path, mirror) as entrepot, strict(tmp_path, entrepot.url) as node:
            seen(await node.refused())


async def test_a_program_for_another_platform(tmp_path: Path, seen: Seen) -> None:
    """A mirror with one architecture under a plain tag: the manifest does not say which."""
    wrong = image("wrong", rootfs={"pause": (0o755, FOREIGN)})
    async with FakeRegistry() as mirror:
        mirror.put_image("pause", "3.1", wrong)
        async with served(tmp_path, mirror) as entrepot, strict(tmp_path, entrepot.url) as node:
            await node.containerd.pull(IMAGE)
            run_it = ("--namespace", "k8s.io", "run", "--rm", IMAGE, "wrong")
            seen(await refusal(node.containerd.ctr(*run_it)))


async def test_the_wrong_namespace(laboratory: Laboratory, seen: Seen) -> None:
    async with laboratory.node() as node:
        node.hosts_toml("k8s.gcr.io", hosts_toml(laboratory.url))
        await node.pull(IMAGE, namespace="default")
        async with node.cri() as cri:
            assert await cri.list_images() == ()
        seen(await refusal(node.ctr("--namespace", "k8s.io", "run", IMAGE, "x")))


async def test_only_for_who_says_who_he_is(tmp_path: Path, pause_index: Index, seen: Seen) -> None:
    users = tmp_path / "users"
    users.write_text("alice:$2y$05$tcqPBrDlt45s8dgvfBFOqesPBGnRi4pfQW2LmKdGsOJd4u.ZQ0rBa\n")
    async with FakeRegistry() as mirror:
        mirror.put_image("pause", "3.1", pause_index)
        auth = {"htpasswd": str(users), "required": True}
        async with (
            served(tmp_path, mirror, auth=auth) as entrepot,
            strict(tmp_path, entrepot.url) as node,
        ):
            seen(await node.refused())


async def test_not_signed(tmp_path: Path, pause_index: Index, seen: Seen) -> None:
    key = tmp_path / "cosign.pub"
    making = f"openssl ecparam -genkey -name prime256v1 -noout | openssl ec -pubout -out {key}"
    await run("sh", "-c", making, environment=plain_environment(tmp_path))
    async with FakeRegistry() as mirror:
        mirror.put_image("pause", "3.1", pause_index)
        async with served(tmp_path, mirror, {"verify": [{"cosign": str(key)}]}) as entrepot:
            async with strict(tmp_path, entrepot.url) as node:
                said = await node.refused()
            told = await curl(f"{entrepot.url}/{PAUSE}")
            assert json.loads(told)["errors"][0]["code"] == "DENIED"
            seen(said, told)


async def test_podman_tells_what_nobody_has(tmp_path: Path, seen: Seen) -> None:
    async with FakeRegistry() as mirror, served(tmp_path, mirror) as entrepot:
        host = entrepot.url.removeprefix("http://")
        conf = mirrored("docker.io", f"{host}/docker.io")
        async with Podman(tmp_path / "podman", conf) as podman:
            seen(await refusal(podman.podman("pull", "docker.io/library/nginx:none")))
