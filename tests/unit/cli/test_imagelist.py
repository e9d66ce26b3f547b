"""Names of images in the files that people have."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from entrepot.cli.imagelist import Listed, list_images, read_images

DEPLOYMENT = """
# Source: chart/templates/deployment.yaml
apiVersion: apps/v1
kind: Deployment
spec:
  template:
    spec:
      initContainers:
        - {name: init, image: "busybox"}
      containers:
        - name: app
          image: registry.example:5000/team/app:1.2
          env: [{name: image, value: no}]
        - name: sidecar
          image: quay.io/side/car@sha256:%s
      volumes:
        - name: data
          image: {reference: "ghcr.io/data/set:3", pullPolicy: Always}
---
---
apiVersion: monitoring.coreos.com/v1
kind: Prometheus
spec: {image: quay.io/prometheus/prometheus:v3, replicas: 2}
""" % ("a" * 64)

COMPOSE = """
x-base: &base {restart: always}
services:
  web: {<<: *base, image: "nginx:${NGINX:-1.27}"}
  db: {image: "postgres:${PG_VERSION-16}"}
  same: {image: "postgres:16"}
  own: {build: ., image: own:1}
  built: {build: .}
  lost: {image: "lost:${TAG}"}
  dollar: {image: "$$x"}
  none:
"""


def listed(text: str) -> Listed:
    made = Listed("file")
    list_images(text, made)
    return made


def test_a_plain_list() -> None:
    made = listed(
        "# ours\n\nnginx:1.27  # web\nregistry.k8s.io/pause:3.9\r\nnginx:1.27\nlocalhost:5000/a\n"
    )
    assert made.images == ["nginx:1.27", "registry.k8s.io/pause:3.9", "localhost:5000/a:latest"]
    assert made.skipped == []


def test_kubernetes_manifests_and_what_helm_writes() -> None:
    assert listed(DEPLOYMENT).images == [
        "busybox:latest",
        "registry.example:5000/team/app:1.2",
        f"quay.io/side/car@sha256:{'a' * 64}",
        "ghcr.io/data/set:3",
        "quay.io/prometheus/prometheus:v3",
    ]


def test_a_list_kind_and_a_yaml_list() -> None:
    assert listed("kind: List\nitems:\n- {spec: {image: a.example/a:1}}\n").images == [
        "a.example/a:1"
    ]
    assert listed("- nginx:1.27\n- redis:7\n").images == ["nginx:1.27", "redis:7"]
    assert listed('["nginx:1.27"]').images == ["nginx:1.27"]


def test_a_compose_file() -> None:
    made = listed(COMPOSE)
    assert made.images == ["nginx:1.27", "postgres:16"]
    assert [text for text, _ in made.skipped] == [
        "own:1",
        "service built",
        "lost:${TAG}",
        "$x",
    ]


def test_what_is_no_name_is_told(tmp_path: Path) -> None:
    made = listed("spec: {image: 'two words'}\n")
    assert (made.images, made.skipped) == ([], [("two words", "is no name of an image")])


def test_aliases_that_multiply_are_walked_once() -> None:
    lines = ["a0: &a0 {image: x.example/a:1}"]
    for depth in range(1, 30):
        lines.append(f"a{depth}: &a{depth} [{', '.join([f'*a{depth - 1}'] * 9)}]")
    assert listed("\n".join(lines)).images == ["x.example/a:1"]


@pytest.mark.parametrize(
    "text", ["a: [", "a: b: c", "!!python/object/apply:os.system [x]", "a: \x00"]
)
def test_what_cannot_be_understood_is_told(tmp_path: Path, text: str) -> None:
    file = tmp_path / "list"
    file.write_text(text)
    with pytest.raises(click.ClickException, match="cannot be understood"):
        read_images(file)


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(click.ClickException, match=r"none: no such file or directory$"):
        read_images(tmp_path / "none")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(click.ClickException, match=r"binary: is not UTF-8 text$"):
        read_images(tmp_path / "binary")
