"""A clone of the promoter's repository becomes pins, subproject by subproject."""

from __future__ import annotations

from pathlib import Path

import pytest

from entrepot.oci.digest import Digest
from entrepot.trust.pinfile import PinsInvalid
from entrepot.trust.promoter import Oddity
from entrepot.trust.promotions import (
    Promotions,
    Source,
    Subproject,
    find_subprojects,
    manifest_beside,
    pair,
    promotions,
    read_promotions,
)

A, B, C = (Digest.of(data) for data in (b"a", b"b", b"c"))
AR = "us-west2-docker.pkg.dev/k8s-artifacts-prod/images"


def images(root: Path, project: str, text: str, file: str = "images.yaml") -> None:
    directory = root / "images" / project
    directory.mkdir(parents=True, exist_ok=True)
    (directory / file).write_text(text)


def manifest(root: Path, project: str, *destinations: str, more: str = "") -> None:
    directory = root / "manifests" / project
    directory.mkdir(parents=True, exist_ok=True)
    names = "".join(f"- name: {name}\n" for name in destinations)
    (directory / "promoter-manifest.yaml").write_text(
        f"registries:\n- name: gcr.io/{project}\n  src: true\n{names}{more}"
    )


def image(name: str, **tags: Digest) -> str:
    lines = [f'    "{digest}": ["{tag}"]\n' for tag, digest in tags.items()]
    return f"- name: {name}\n  dmap:\n{''.join(lines)}"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two subprojects, as they stand in kubernetes/k8s.io."""
    manifest(tmp_path, "k8s-staging-kubernetes", AR, f"{AR}/kubernetes")
    images(tmp_path, "k8s-staging-kubernetes", image("pause", v1=A, v2=B))
    manifest(tmp_path, "k8s-staging-coredns", f"{AR}/coredns")
    images(tmp_path, "k8s-staging-coredns", image("coredns", v1=C))
    return tmp_path


def found(promotions: Promotions) -> dict[str, tuple[Digest, ...]]:
    prefix = "registry.k8s.io/"
    return {pin.image.removeprefix(prefix): pin.digests for pin in promotions.pins}


def kinds(promotions: Promotions) -> list[Oddity]:
    return [odd.kind for odd in promotions.odd]


def test_prefixes_come_from_the_destinations_not_from_the_directory(root: Path) -> None:
    made = read_promotions(root)
    assert found(made) == {
        "pause:v1": (A,),
        "pause:v2": (B,),
        "kubernetes/pause:v1": (A,),
        "kubernetes/pause:v2": (B,),
        "coredns/coredns:v1": (C,),
    }
    assert made.odd == ()


def test_the_frozen_backfill_needs_no_manifest(root: Path, tmp_path: Path) -> None:
    old = tmp_path / "archived"
    images(old, "DO-NOT-MODIFY-legacy-backfill", image("pause", v0=C, v1=A))
    made = read_promotions(old, root)
    assert found(made)["pause:v0"] == (C,)
    assert found(made)["pause:v1"] == (A,)
    assert made.odd == ()


def test_where_old_and_new_differ_both_are_right_and_the_new_is_served(
    root: Path, tmp_path: Path
) -> None:
    old = tmp_path / "archived"
    images(old, "DO-NOT-MODIFY-legacy-backfill", image("pause", v1=C))
    made = read_promotions(old, root)
    assert found(made)["pause:v1"] == (A, C)
    [odd] = made.odd
    assert odd.kind is Oddity.TWO_DIGESTS
    assert f"registry.k8s.io/pause:v1 was {C} elsewhere" in str(odd)


def test_a_misnamed_file_is_told_and_not_read(root: Path) -> None:
    images(root, "k8s-staging-lws", image("lws", v1=A), file="imaegs.yaml")
    manifest(root, "k8s-staging-lws", f"{AR}/lws")
    made = read_promotions(root)
    assert kinds(made) == [Oddity.MISNAMED]
    assert "lws/lws:v1" not in found(made)


def test_images_that_go_nowhere_are_told(root: Path) -> None:
    images(root, "k8s-staging-lost", image("lost", v1=A))
    images(root, "k8s-staging-away", image("away", v1=A))
    manifest(root, "k8s-staging-away", "example.com/elsewhere")
    made = read_promotions(root)
    assert kinds(made) == [
        Oddity.UNKNOWN_DESTINATION,
        Oddity.NO_DESTINATION,
        Oddity.NO_DESTINATION,
    ]
    assert not [name for name in found(made) if "lost" in name or "away" in name]


def test_a_manifest_may_hold_the_images_itself(root: Path) -> None:
    manifest(root, "k8s-staging-old", f"{AR}/old", more="images:\n" + image("thing", v1=B))
    assert found(read_promotions(root))["old/thing:v1"] == (B,)


def test_bytes_that_are_no_text_are_told(root: Path) -> None:
    (root / "images" / "k8s-staging-coredns" / "images.yaml").write_bytes(b"- name: \xff\n")
    assert kinds(read_promotions(root)) == [Oddity.WRONG_NAME]


def test_files_beside_the_directories_are_nothing(root: Path) -> None:
    (root / "images" / "README.md").write_text("x")
    assert read_promotions(root).odd == ()


def test_no_tree_no_pins(tmp_path: Path) -> None:
    assert read_promotions(tmp_path) == Promotions()


def test_a_path_leads_to_a_tree_a_directory_or_a_file(root: Path) -> None:
    directory = root / "images" / "k8s-staging-coredns"
    for path in (directory, directory / "images.yaml"):
        assert found(promotions(find_subprojects(path))) == {"coredns/coredns:v1": (C,)}
    assert found(promotions(find_subprojects(root))) == found(read_promotions(root))
    clone = root.parent / "clone"
    clone.mkdir()
    root.rename(clone / "registry.k8s.io")
    assert len(promotions(find_subprojects(clone)).pins) == 5


def test_a_path_that_leads_to_nothing_is_told(tmp_path: Path) -> None:
    with pytest.raises(PinsInvalid, match=r"no images\.yaml"):
        find_subprojects(tmp_path)


def test_prefixes_that_somebody_knows_count_instead(root: Path) -> None:
    directory = root / "images" / "k8s-staging-coredns"
    [project] = find_subprojects(directory, ("other",))
    assert found(promotions([project])) == {"other/coredns:v1": (C,)}


def test_one_loose_manifest_is_for_the_images_without() -> None:
    text = f"registries:\n- name: {AR}/loose\n"
    where = Subproject(manifest=Source("promoter-manifest.yaml", text))
    what = Subproject(images=(Source("images.yaml", image("thing", v1=A)),))
    assert found(promotions(pair([what, where]))) == {"loose/thing:v1": (A,)}
    assert found(promotions(pair([what, where, where]))) == {}


@pytest.mark.parametrize(
    ("images_name", "manifest_name"),
    [
        (
            "https://x/main/images/etcd/images.yaml",
            "https://x/main/manifests/etcd/promoter-manifest.yaml",
        ),
        (
            "https://x/images/images/etcd/images.yaml",
            "https://x/images/manifests/etcd/promoter-manifest.yaml",
        ),
        ("https://x/main/etcd/images.yaml", None),
    ],
)
def test_the_manifest_beside_images(images_name: str, manifest_name: str | None) -> None:
    assert manifest_beside(images_name) == manifest_name
