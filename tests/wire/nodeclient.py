"""What clients that cannot be installed here make of their settings: whom they ask, for what.

Each function reads the files as that client does (contract section 1.1, tables of 1.1b) and gives
the url of a manifest at each mirror in turn; `pull` then goes the way of a pull on the wire.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import yaml

from entrepot.oci.digest import Digest
from entrepot.setup.version import Version
from programs.node import Node
from wire.client import ask

_NEWEST = Version(2, 4)

Where = Callable[[str], str]
"""From `manifests/3.1` and the like to a request target."""
Asked = tuple[str, Where]
"""An address, and the way there."""


def containerd(node: Node, version: Version, registry: str, repository: str) -> list[Asked]:
    """containerd 1.2 to 2.x, through the CRI."""
    config = tomllib.loads((node.root / "etc/containerd/config.toml").read_text())
    table = {
        1: "cri",
        2: "io.containerd.grpc.v1.cri",
        3: "io.containerd.cri.v1.images",
    }[config.get("version", 1)]
    settings = config["plugins"][table]["registry"]
    if version >= Version(1, 5):
        assert "mirrors" not in settings, "the CRI plugin would not load"
        return hosts_toml(Path(settings["config_path"]), registry, repository, version)
    mirrors = settings["mirrors"]
    endpoints = (mirrors.get(registry) or mirrors["*"])["endpoint"]
    assert version >= Version(1, 3) or "*" not in mirrors
    found = []
    for endpoint in endpoints:
        url = urlsplit(endpoint)
        assert url.scheme in {"http", "https"}, "a scheme is not guessed"
        # 1.2 drops the path; later it counts as it is, and only none at all becomes /v2 (S6).
        path = url.path if url.path and version >= Version(1, 3) else "/v2"
        namespace = registry if version >= Version(1, 4) else None
        found.append((url.netloc, _way(f"{path}/{repository}", namespace)))
    return found


def hosts_toml(
    directory: Path, registry: str, repository: str, version: Version = _NEWEST
) -> list[Asked]:
    """Everybody who reads a directory of hosts.toml (C-4 to C-6)."""
    names = [registry] if version < Version(1, 6, 17) else [registry, "_default"]
    (file, *_) = [path for name in names if (path := directory / name / "hosts.toml").is_file()]
    settings = tomllib.loads(file.read_text())
    words = {"pull", "resolve", "push"}
    assert version < Version(2) or "server" in settings or settings["host"]
    found = []
    for address, host in settings["host"].items():
        assert set(host["capabilities"]) <= words, "the file would be thrown away"
        url = urlsplit(address)
        assert not url.path
        found.append((url.netloc, _way(f"/v2/{repository}", registry)))
    return found


def rancher(node: Node, name: str, registry: str, repository: str) -> list[Asked]:
    """k3s and RKE2: an endpoint without a path gets /v2, any other path is taken as it is (K-1)."""
    settings = yaml.safe_load((node.root / f"etc/rancher/{name}/registries.yaml").read_text())
    mirrors = settings["mirrors"]
    endpoints = (mirrors.get(registry) or mirrors["*"])["endpoint"]
    urls = [urlsplit(one) for one in endpoints]
    return [(url.netloc, _way(f"{url.path or '/v2'}/{repository}", registry)) for url in urls]


def dockerd(node: Node, version: Version, repository: str, *, own_store: bool) -> list[Asked]:
    """dockerd for Docker Hub: `own_store` is its classic one, the other is containerd's (D-6)."""
    settings = json.loads((node.root / "etc/docker/daemon.json").read_text())
    found = []
    for mirror in settings["registry-mirrors"]:
        url = urlsplit(mirror)
        assert version >= Version(25) or url.path in {"", "/"}, "dockerd would not start"
        path = url.path.rstrip("/")
        assert own_store or url.netloc in settings["insecure-registries"] or url.scheme == "https"
        if own_store:
            found.append((url.netloc, _way(f"{path}/v2/{repository}", None)))
        elif version >= Version(28):
            found.append((url.netloc, _way(f"{path}/v2/{repository}", "docker.io")))
        else:
            found.append((url.netloc, _way(f"/v2{path}/{repository}", "docker.io")))
    return found


def buildkit(node: Node, registry: str, repository: str) -> list[Asked]:
    """BuildKit: a mirror has no scheme, and plain HTTP must be allowed for it by name (B-1)."""
    file = node.root / "etc/buildkit/buildkitd.toml"
    settings: dict[str, Any] = tomllib.loads(file.read_text())["registry"]
    found = []
    for mirror in settings[registry]["mirrors"]:
        assert settings[mirror]["http"]
        host, _, path = mirror.partition("/")
        found.append((host, _way(f"/v2{path and '/' + path}/{repository}", registry)))
    return found


def _way(path: str, namespace: str | None) -> Where:
    query = "" if namespace is None else f"?ns={quote(namespace, safe='')}"
    return lambda what: f"{path}/{what}{query}"


async def pull(asked: Sequence[Asked], tag: str, host: str | None = None) -> str:
    """HEAD the tag, GET by digest, then every blob of every platform; the tag's digest.

    AssertionError for any answer that would end a pull.
    """
    address, where = asked[0]
    headers = [("Host", host)] if host is not None else []
    head = await ask(address, "HEAD", where(f"manifests/{tag}"), *headers)
    assert head.status == 200, where(f"manifests/{tag}")
    digest = head.header("Docker-Content-Digest")
    assert digest is not None
    todo = [("manifests", digest)]
    while todo:
        kind, wanted = todo.pop()
        got = await ask(address, "GET", where(f"{kind}/{wanted}"), *headers)
        assert got.status == 200
        assert str(Digest.of(got.body)) == wanted
        if kind == "manifests":
            read = json.loads(got.body)
            todo += [("manifests", one["digest"]) for one in read.get("manifests", ())]
            parts = [*read.get("layers", ()), *([read["config"]] if "config" in read else ())]
            todo += [("blobs", one["digest"]) for one in parts]
    return digest
