"""The container image: built from the Dockerfile, run as compose.yaml says, pulled through."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from fakes.images import image, sha256
from fakes.registry import FakeRegistry
from programs import require_program
from programs.containerd import Containerd
from programs.daemon import plain_environment, run
from programs.debootstrap import debian_with_python
from programs.docker import Container, Docker
from programs.entrepot import PLAIN_TRUST
from programs.podman import Podman
from programs.ports import Port

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]
PAUSE = image("pause:3.1", rootfs={"etc/pause": (0o644, b"pause")})
_BUILD_S = 150.0


@pytest.fixture(scope="session")
def debian(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A stand-in for python:3.11-slim-bookworm, as tar."""
    for program in ("dockerd", "docker", "skopeo", "docker-compose"):
        require_program(program)
    archive = debian_with_python(tmp_path_factory.mktemp("debian"))
    yield archive
    archive.unlink()


async def compose_service(home: Path) -> dict[str, object]:
    """What compose makes of compose.yaml; RuntimeError when it finds mistakes."""
    command = (require_program("docker-compose"), "--file", ROOT / "compose.yaml", "config")
    told = yaml.safe_load(await run(*command, environment=plain_environment(home)))
    assert list(told["services"]) == ["entrepot"]
    service = told["services"]["entrepot"]
    assert isinstance(service, dict)
    return service


async def test_compose_file_is_valid_and_asks_for_little(tmp_path: Path) -> None:
    service = await compose_service(tmp_path)
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


async def build(docker: Docker, debian: Path) -> dict[str, object]:
    """Build the image on the stand-in; its configuration."""
    await docker.docker("import", debian, "stand-in", timeout_s=60.0)
    options = ("--quiet", "--network=host", "--build-arg=PYTHON_IMAGE=stand-in", "--tag=entrepot")
    await docker.docker("build", *options, ROOT, timeout_s=_BUILD_S)
    (told,) = json.loads(await docker.docker("image", "inspect", "entrepot"))
    config = told["Config"]
    assert isinstance(config, dict)
    return config


def run_options(service: dict[str, object]) -> list[str]:
    """The options of `docker run` for what matters in the service of compose.yaml."""
    assert service["read_only"]
    capabilities, security = service["cap_drop"], service["security_opt"]
    assert isinstance(capabilities, list)
    assert isinstance(security, list)
    return [
        "--read-only",
        *(f"--cap-drop={one}" for one in capabilities),
        *(f"--security-opt={one}" for one in security),
        "--volume=cache:/var/lib/entrepot",
    ]


async def pull(directory: Path, port: Port) -> None:
    """skopeo pulls pause through Entrepot at `port`, every byte of it."""
    async with Podman(directory / "skopeo") as tools:
        source = f"docker://{port}/k8s.gcr.io/pause:3.1"
        copy = directory / "skopeo" / "copy"
        await tools.skopeo("copy", "--src-tls-verify=false", source, f"dir:{copy}")
        assert await asyncio.to_thread((copy / "manifest.json").read_bytes) == PAUSE.manifest
        for blob in PAUSE.blobs:
            assert await asyncio.to_thread((copy / sha256(blob).hex).read_bytes) == blob


async def confined(container: Container) -> None:
    """Whoever gets into the process is nobody, and finds nothing to write to."""
    assert await container.execute("id", "-un") == "entrepot"
    assert int(await container.execute("id", "-u")) != 0
    mounts = await container.execute("cat", "/proc/1/mounts")
    (root,) = (line.split()[3] for line in mounts.splitlines() if line.split()[1] == "/")
    assert "ro" in root.split(",")


def settings(port: Port, admin: Port, mirror: FakeRegistry) -> str:
    """The file for /etc/entrepot: ports of its own, and one mirror with names of its own."""
    mirrors = [{"url": mirror.url, "repository": "google_containers/{name}"}]
    registry = {"aliases": ["k8s.gcr.io"], "mirrors": mirrors}
    config = {
        "listen": str(port),
        "admin": str(admin),
        "registries": {"registry.k8s.io": registry},
        "trust": PLAIN_TRUST,
    }
    return json.dumps(config)


@pytest.mark.rule("P28")
async def test_image_serves_a_pull_and_keeps_it(tmp_path: Path, debian: Path) -> None:
    options = ["--network=host", "--health-interval=1s"]
    options += run_options(await compose_service(tmp_path))
    file = tmp_path / "entrepot.yaml"
    options.append(f"--volume={file}:/etc/entrepot/entrepot.yaml:ro")
    with Port() as port, Port() as admin:
        async with (
            FakeRegistry() as mirror,
            Containerd(tmp_path / "containerd") as containerd,
            Docker(tmp_path / "docker", containerd, mirrors=[]) as docker,
        ):
            mirror.put_image("google_containers/pause", "3.1", PAUSE)
            file.write_text(settings(port, admin, mirror))
            config = await build(docker, debian)
            assert config["User"] == "entrepot"
            assert config["Volumes"] == {"/var/lib/entrepot": {}}
            async with docker.container(*options, "entrepot") as container:
                await container.until_healthy()
                await confined(container)
                await pull(tmp_path, port)
                assert await container.stop() == 0
                await mirror.stop()
                await container.start()
                await container.until_healthy()
                await pull(tmp_path, port)
                assert await container.stop() == 0
                log = await container.log()
                assert log.count("server.ready") == log.count("server.draining") == 2
                assert "Traceback" not in log
