"""Images in files of every kind: into a cache, out to real clients, into files, and on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Collection
from pathlib import Path

import pytest

from carrying import NAME, Site
from fakes.images import Flavour, Index, image, index, layer_tar, sha256
from fakes.registry import FakeRegistry
from programs import require_program
from programs.containerd import Containerd
from programs.daemon import plain_environment, run
from programs.docker import Docker
from programs.podman import Podman

pytestmark = pytest.mark.e2e


@pytest.fixture(params=["docker", "oci"])
def flavour(request: pytest.FixtureRequest) -> Flavour:
    return "oci" if request.param == "oci" else "docker"


@pytest.fixture
def both(flavour: Flavour) -> Index:
    root = {"etc/seed": (0o644, b"carried")}
    platforms = ("linux/amd64", "linux/arm64")
    parts = [image("c", platform=each, rootfs=root, flavour=flavour) for each in platforms]
    return index(parts, flavour=flavour)


@pytest.fixture
async def source(tmp_path: Path, both: Index) -> AsyncIterator[Site]:
    """A cache filled by pulling, with all platforms."""
    async with FakeRegistry() as mirror, Site(tmp_path / "source", mirror.url) as site:
        mirror.put_image("app", "1", both)
        async with site.node("puller") as node:
            await node.pull(NAME, "--all-platforms")
        yield site


@pytest.fixture
async def empty(tmp_path: Path) -> AsyncIterator[Site]:
    """A cache with nothing in it, whose mirror is dead."""
    async with Site(tmp_path / "empty") as site:
        yield site


async def test_exported_it_is_read_by_everybody_with_the_same_digest(
    source: Site, empty: Site, both: Index, flavour: Flavour, tmp_path: Path
) -> None:
    file = tmp_path / "out.tar"
    told = await source.run(
        "export", NAME, "--platform", "linux/amd64,linux/arm64", "-o", str(file)
    )
    assert told.startswith(f"{file}: 1 image, ")
    async with source.node("importer") as node:
        await node.ctr("--namespace", "k8s.io", "images", "import", "--all-platforms", str(file))
        assert (await node.images("k8s.io"))[NAME] == str(both.digest)
        assert {str(one.digest) for one in both.images} <= await node.contents("k8s.io")
    async with Podman(tmp_path / "podman") as podman:
        await podman.skopeo("copy", "--all", _for_skopeo(file, flavour), f"dir:{tmp_path}/dir")
        assert (tmp_path / "dir" / "manifest.json").read_bytes() == both.manifest
        assert NAME in await podman.podman("load", "--input", str(file))
        [inspected] = json.loads(await podman.podman("inspect", NAME))
        assert inspected["Digest"] in {str(both.digest), str(both.images[0].digest)}
    assert (await empty.json("import", str(file)))["images"][0]["names"] == [NAME]
    await _pulled_alike(empty, both)


async def test_one_platform_is_enough(
    source: Site, empty: Site, both: Index, flavour: Flavour, tmp_path: Path
) -> None:
    file = tmp_path / "out.tar"
    await source.run("export", NAME, "--platform", "linux/amd64", "-o", str(file))
    async with source.node("importer") as node:
        await node.ctr("--namespace", "k8s.io", "images", "import", str(file))
        assert (await node.images("k8s.io"))[NAME] == str(both.digest)
    async with Podman(tmp_path / "podman") as podman:
        assert NAME in await podman.podman("load", "--input", str(file))
        await podman.skopeo("copy", _for_skopeo(file, flavour), f"dir:{tmp_path}/dir")
        assert (tmp_path / "dir" / "manifest.json").read_bytes() == both.images[0].manifest
    [told] = (await empty.json("import", str(file)))["images"]
    assert [each.split(" of ")[1] for each in told["lacking"]] == ["linux/arm64"]
    async with empty.node("node") as node:
        assert await node.pull(NAME) == str(both.digest)


@pytest.mark.parametrize("platforms", [("--all-platforms",), ()], ids=["all", "one"])
async def test_ctr_export_keeps_digests(
    source: Site, empty: Site, both: Index, tmp_path: Path, platforms: tuple[str, ...]
) -> None:
    file = tmp_path / "ctr.tar"
    async with source.node("exporter") as node:
        await node.pull(NAME, *platforms)
        await node.ctr("--namespace", "k8s.io", "images", "export", *platforms, str(file), NAME)
    packed = await _zstd(file)
    [told] = (await empty.json("import", str(packed)))["images"]
    assert (told["names"], told["digest"], told["digest_kept"]) == ([NAME], str(both.digest), True)
    async with empty.node("node") as node:
        assert await node.pull(NAME) == str(both.digest)
    parts = [] if "--all-platforms" in platforms else [str(one.digest) for one in both.images]
    await _read_by_everybody(empty, NAME, str(both.digest), tmp_path, parts=parts)


async def test_skopeo_and_buildah_keep_digests(
    source: Site, empty: Site, both: Index, tmp_path: Path
) -> None:
    host = source.url.removeprefix("http://")
    at = f"docker://{host}/{NAME}"
    async with Podman(tmp_path / "podman") as podman:
        plain = ("copy", "--all", "--src-tls-verify=false", at)
        await podman.skopeo(*plain, f"oci:{tmp_path}/layout:{NAME}")
        await podman.skopeo(*plain, f"oci-archive:{tmp_path}/skopeo.tar:{NAME}")
        await podman.buildah("pull", *podman.trusting, "--tls-verify=false", f"{host}/{NAME}")
        await podman.buildah(
            "push",
            *podman.trusting,
            f"{host}/{NAME}",
            f"oci-archive:{tmp_path}/buildah.tar:b.example/b:1",
        )
    for name in ("layout", "skopeo.tar"):
        [told] = (await empty.json("import", str(tmp_path / name)))["images"]
        assert (told["names"], told["problems"]) == ([NAME], [])
        # docker manifests become OCI ones on the way into an OCI layout: skopeo's work, not ours
        digest = told["digest"]
        async with empty.node("node") as node:
            assert await node.pull(NAME) == digest
        if name == "layout":
            await _read_by_everybody(empty, NAME, digest, tmp_path)
        await empty.run("rm", NAME)
    told = await empty.json("import", str(tmp_path / "buildah.tar"), "--as", NAME)
    assert told["images"][0]["names"] == [NAME]
    async with empty.node("node") as node:
        await node.pull(NAME)


async def test_on_a_stopped_directory_too(
    source: Site, empty: Site, both: Index, tmp_path: Path
) -> None:
    file = tmp_path / "out.tar"
    await source.stop()
    await source.run("export", NAME, "-o", str(file))
    await empty.stop()
    assert f"imported {NAME}" in await empty.run("import", str(file))
    await empty.start()
    await _pulled_alike(empty, both)


async def _pulled_alike(site: Site, both: Index) -> None:
    """Tag and digest, every platform, without any mirror."""
    async with site.node("node") as node:
        for one in both.images:
            assert await node.pull(NAME, "--platform", one.platform) == str(both.digest)
        by_digest = f"registry.example/app@{both.digest}"
        assert await node.pull(by_digest) == str(both.digest)


async def _read_by_everybody(
    site: Site, name: str, digest: str, tmp_path: Path, *, parts: Collection[str] = ()
) -> None:
    """Taken out again, for those who brought it: containerd, podman, skopeo, another Entrepot.

    `parts` are the images of an index of which not all are there: skopeo then copies one of them.
    """
    file = tmp_path / "onward.tar"
    await site.run("export", name, "-o", str(file))
    async with site.node("importer") as node:
        await node.ctr("--namespace", "k8s.io", "images", "import", str(file))
        assert (await node.images("k8s.io"))[name] == digest
    async with Podman(tmp_path / "onward") as podman:
        assert name in await podman.podman("load", "--input", str(file))
        copied = tmp_path / "onward-copy"
        everything = () if parts else ("--all",)
        await podman.skopeo("copy", *everything, f"oci-archive:{file}", f"dir:{copied}")
        manifest = await asyncio.to_thread((copied / "manifest.json").read_bytes)
        assert str(sha256(manifest)) in (parts or {digest})
    async with Site(tmp_path / "onward-site") as other:
        await other.run("import", str(file))
        async with other.node("node") as node:
            assert await node.pull(name) == digest


def _for_skopeo(file: Path, flavour: Flavour) -> str:
    """skopeo finds only OCI's own media types by their names in a layout."""
    return f"oci-archive:{file}:{NAME}" if flavour == "oci" else f"oci-archive:{file}"


async def _zstd(file: Path) -> Path:
    program = require_program("zstd")
    await run(program, "-q", "--long=25", file, environment=plain_environment(file.parent))
    return await asyncio.to_thread(file.with_name, f"{file.name}.zst")


@pytest.mark.parametrize("packed", [False, True], ids=["tar", "tar.zst"])
async def test_docker_save_is_pulled_under_a_digest_of_its_own(
    empty: Site, tmp_path: Path, packed: bool
) -> None:
    root = tmp_path / "root.tar"
    await asyncio.to_thread(root.write_bytes, layer_tar({"etc/seed": (0o644, b"saved")}))
    file = tmp_path / "saved.tar"
    other = "registry.k8s.io/pause:3.9"
    async with (
        Containerd(tmp_path / "containerd") as containerd,
        Docker(tmp_path / "dockerd", containerd, mirrors=[]) as docker,
    ):
        await docker.docker("import", str(root), NAME)
        await docker.docker("tag", NAME, "app:1")
        await docker.docker("tag", NAME, other)
        await docker.docker("save", "-o", file, NAME, "app:1", other)
    file = await _zstd(file) if packed else file
    out = await empty.run("import", str(file))
    for name in (NAME, "docker.io/library/app:1", other):
        assert f"imported {name}\n" in out
    assert "its digest is not the registry's" in out
    exported = tmp_path / "out.tar"
    await empty.run("export", NAME, other, "-o", str(exported))
    async with empty.node("node") as node:
        digest = await node.pull(NAME)
        assert await node.pull("docker.io/library/app:1") == digest
        assert await node.pull("k8s.gcr.io/pause:3.9") == digest
    async with Site(tmp_path / "pinned", trust={}) as strict:
        told, err = await strict.both("import", str(file), status=1)
        assert f"imported {other}" not in told
        assert f"{other} is known to be sha256:7031c1b2" in err
        assert "--despite-pins" in err
        await strict.run("import", str(file), "--despite-pins")
        async with strict.node("strict") as node:
            with pytest.raises(RuntimeError, match="502 Bad Gateway"):
                await node.pull("k8s.gcr.io/pause:3.9")
    await _read_by_everybody(empty, NAME, digest, tmp_path)
    async with (
        Containerd(tmp_path / "containerd2") as containerd,
        Docker(tmp_path / "dockerd2", containerd, mirrors=[]) as docker,
    ):
        assert NAME in await docker.docker("load", "-i", exported)
        assert other in await docker.docker("images", "--format", "{{.Repository}}:{{.Tag}}")
