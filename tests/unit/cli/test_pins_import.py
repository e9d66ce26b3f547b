"""`entrepot pins import` on files as the Kubernetes promoter has them."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from entrepot.cli import main
from entrepot.oci.digest import Digest
from entrepot.trust.pinloading import load_pin_file
from unit.cli.weblet import weblet

A, B, C, D = (Digest.of(data) for data in (b"a", b"b", b"c", b"d"))
AR = "us-west2-docker.pkg.dev/k8s-artifacts-prod/images"
PAUSE = f"""\
- name: pause
  dmap:
    "{A}": ["3.1", "latest-amd64"]
    "{B}": []
    "{C}": ["3.9"]
- name: addon-builder
  dmap:
    "{A}": ["am-i-a-manifest-list"]
"""
LWS = f'- name: lws\n  dmap:\n    "{D}": ["v0.1.0"]\n'
BOTH = f"""\
registries:
- name: gcr.io/k8s-staging-kubernetes
  src: true
- name: {AR}
- name: {AR}/kubernetes
"""


def manifest(sub: str) -> str:
    return f"registries:\n- name: gcr.io/x\n  src: true\n- name: {AR}/{sub}\n"


def put(root: Path, name: str, text: str) -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """Of kubernetes/k8s.io: the backfill, a usual subproject, and the mis-named one."""
    root = tmp_path / "k8s.io"
    backfill = "k8s.gcr.io/archived/images/DO-NOT-MODIFY-legacy-backfill/images.yaml"
    put(root, backfill, f'- name: pause\n  dmap:\n    "{B}": ["3.0"]\n    "{D}": []\n')
    new = "registry.k8s.io"
    put(root, f"{new}/images/k8s-staging-kubernetes/images.yaml", PAUSE)
    put(root, f"{new}/manifests/k8s-staging-kubernetes/promoter-manifest.yaml", BOTH)
    put(root, f"{new}/images/k8s-staging-lws/imaegs.yaml", LWS)
    put(root, f"{new}/manifests/k8s-staging-lws/promoter-manifest.yaml", manifest("lws"))
    return root


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(main, ["pins", "import", *map(str, words)])


def pins(path: Path) -> dict[str, tuple[Digest, ...]]:
    prefix = "registry.k8s.io/"
    return {pin.image.removeprefix(prefix): pin.digests for pin in load_pin_file(path)}


def test_a_clone_becomes_pins_and_what_is_odd_is_told(clone: Path, tmp_path: Path) -> None:
    out = tmp_path / "pins.yaml"
    result = run(clone, "-o", out)
    assert result.exit_code == 0, result.output
    names = ("pause:3.1", "pause:3.9", "pause:latest-amd64", "addon-builder:am-i-a-manifest-list")
    assert set(pins(out)) == {"pause:3.0", *names, *(f"kubernetes/{name}" for name in names)}
    assert pins(out)["pause:3.1"] == (A,)
    told = result.stderr
    assert "imaegs.yaml: a file of another name than images.yaml, not read" in told
    assert "digests without tags, which need no pin: 1 of them" in told
    assert f"one digest under several names: {A} is pause, addon-builder" in told
    assert told.endswith(f"9 pins for {out}\n")


def test_the_misnamed_file_is_read_when_it_is_named(clone: Path, tmp_path: Path) -> None:
    out = tmp_path / "pins.yaml"
    file = clone / "registry.k8s.io/images/k8s-staging-lws/imaegs.yaml"
    assert run(file, "-o", out).exit_code == 0
    assert pins(out) == {"lws/lws:v0.1.0": (D,)}


def test_a_directory_of_one_subproject(clone: Path) -> None:
    result = run(clone / "registry.k8s.io/images/k8s-staging-kubernetes", "--only", "pause:3.*")
    assert result.exit_code == 0
    assert result.stdout.count("sha256:") == 2
    assert f"  registry.k8s.io/pause:3.9: {C}\n" in result.stdout


def test_loose_files_belong_together(tmp_path: Path) -> None:
    images, where = put(tmp_path, "a.yaml", LWS), put(tmp_path, "promoter-manifest.yaml", "")
    where.write_text(manifest("some"))
    beside = tmp_path / "elsewhere" / "promoter-manifest.yaml"
    beside.parent.mkdir()
    where.rename(beside)
    assert run(images).exit_code == 1
    result = run(images, beside)
    assert f"registry.k8s.io/some/lws:v0.1.0: {D}" in result.stdout


def test_the_prefix_may_be_told(tmp_path: Path) -> None:
    images = put(tmp_path, "a.yaml", LWS)
    result = run(images, "--prefix", "", "--prefix", "lws")
    assert result.exit_code == 0
    assert f"registry.k8s.io/lws:v0.1.0: {D}" in result.stdout
    assert f"registry.k8s.io/lws/lws:v0.1.0: {D}" in result.stdout
    assert run(images, "--prefix", "UPPER").exit_code == 2


def test_a_url_and_the_manifest_beside_it(clone: Path) -> None:
    del clone
    files = {
        "/main/images/k8s-staging-lws/images.yaml": LWS,
        "/main/manifests/k8s-staging-lws/promoter-manifest.yaml": manifest("lws"),
        "/main/images/k8s-staging-none/images.yaml": LWS,
        "/main/images/DO-NOT-MODIFY-legacy-backfill/images.yaml": LWS,
    }
    with weblet(files) as url:
        result = run(f"{url}/main/images/k8s-staging-lws/images.yaml")
        assert (result.exit_code, result.stdout.count("sha256:")) == (0, 1)
        assert f"registry.k8s.io/lws/lws:v0.1.0: {D}" in result.stdout
        assert "without TLS" in result.stderr
        both = [f"{url}{name}" for name in list(files)[1::-1]]
        assert f"lws/lws:v0.1.0: {D}" in run(*both).stdout
        assert run(f"{url}/main/images/k8s-staging-none/images.yaml").exit_code == 1
        backfill = run(f"{url}/main/images/DO-NOT-MODIFY-legacy-backfill/images.yaml")
        assert f"registry.k8s.io/lws:v0.1.0: {D}" in backfill.stdout
        assert run(f"{url}/none.yaml").exit_code == 1


def test_pins_are_added_and_never_moved(tmp_path: Path) -> None:
    out = tmp_path / "pins.yaml"
    images = put(tmp_path, "a.yaml", LWS)
    words = (images, "--prefix", "", "-o", out)
    assert run(*words).exit_code == 0
    before = out.read_text()
    assert "already" in run(*words).stderr
    images.write_text(LWS + f'    "{A}": ["v0.2.0"]\n')
    added = run(*words)
    assert (added.exit_code, "+ registry.k8s.io/lws:v0.2.0" in added.stderr) == (0, True)
    images.write_text(LWS.replace(str(D), str(B)))
    moved = run(*words)
    assert moved.exit_code == 1
    assert f"! registry.k8s.io/lws:v0.1.0: {D} -> {B}" in moved.stderr
    assert pins(out) == {"lws:v0.1.0": (D,), "lws:v0.2.0": (A,)}
    assert run(*words, "--replace").exit_code == 0
    assert pins(out)["lws:v0.1.0"] == (B,)
    assert before != out.read_text()


def test_one_tag_with_two_digests_has_both(tmp_path: Path) -> None:
    text = f'- name: x\n  dmap:\n    "{A}": ["1"]\n    "{B}": ["1"]\n'
    result = run(put(tmp_path, "images.yaml", text), "--prefix", "")
    assert f"registry.k8s.io/x:1: [{B}, {A}]" in result.stdout
    assert "one tag under several digests" in result.stderr


def test_what_is_no_file_of_the_promoter_writes_nothing(tmp_path: Path) -> None:
    out = tmp_path / "pins.yaml"
    broken = put(tmp_path, "b.yaml", LWS + "- [unclosed\n")
    assert run(broken, "--prefix", "", "-o", out).exit_code == 1
    assert run(tmp_path / "none", "-o", out).exit_code == 1
    (tmp_path / "empty").mkdir()
    result = run(tmp_path / "empty", "-o", out)
    assert (result.exit_code, "no images.yaml of the promoter" in result.stderr) == (1, True)
    assert not out.exists()
    out.write_text("nonsense\n")
    good = put(tmp_path, "a.yaml", LWS)
    assert run(good, "--prefix", "", "-o", out).exit_code == 1
    assert out.read_text() == "nonsense\n"


def test_of_many_oddities_a_few_are_told(tmp_path: Path) -> None:
    text = "".join(f'- name: UPPER{n}\n  dmap:\n    "{A}": ["1"]\n' for n in range(8))
    result = run(put(tmp_path, "images.yaml", text + LWS), "--prefix", "")
    assert result.exit_code == 0
    assert "and 3 more: a name, tag or digest that cannot be one" in result.stderr
