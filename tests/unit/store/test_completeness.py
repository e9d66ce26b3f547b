"""Which platforms of an image are complete, decided from what was found."""

from __future__ import annotations

import pytest

from entrepot.oci.digest import Digest
from entrepot.oci.mediatype import DOCKER_LIST, OCI_ARTIFACT, OCI_CONFIG, OCI_INDEX, OCI_MANIFEST
from entrepot.store.children import NO_PLATFORM
from entrepot.store.completeness import Completeness, Held, Missing, PlatformState, judge
from entrepot.store.record import Child

FOREIGN = (
    "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
    "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
)


def d(name: str) -> Digest:
    return Digest.of(name.encode())


def manifest(name: str, platform: str = "") -> Child:
    return Child(d(name), OCI_MANIFEST, 300, platform)


def layer(name: str, size: int = 50, media_type: str = "layer", *, inline: bool = False) -> Child:
    return Child(d(name), media_type, size, inline=inline)


CONFIG = Child(d("config"), OCI_CONFIG, 10)
ROOT = Child(d("root"), OCI_INDEX, 500)


def here(*names: str, size: int = 50) -> dict[Digest, int]:
    return {d(name): size for name in names}


def lone(*children: Child, present: dict[Digest, int], platform: str = "") -> PlatformState:
    """The verdict on a manifest without an index."""
    root = manifest("root")
    held = {root.digest: Held(OCI_MANIFEST, children, platform)}
    (state,) = judge(root, held, {root.digest: 300, **present}).platforms
    return state


def test_an_image_without_an_index() -> None:
    whole = lone(CONFIG, layer("a"), present=here("config", "a"), platform="linux/arm64")
    assert (whole.platform, whole.complete, whole.missing) == ("linux/arm64", True, ())
    assert (whole.blobs, whole.bytes_present, whole.bytes_total) == (2, 400, 400)
    part = lone(CONFIG, layer("a"), present=here("config"))
    assert (part.platform, part.complete) == ("", False)
    assert part.missing == (Missing(d("a"), "layer", 50),)
    assert (part.bytes_present, part.bytes_total, part.lacks_manifest) == (350, 400, False)


def test_a_layer_listed_twice_is_needed_once() -> None:
    state = lone(layer("a"), layer("a"), present={})
    assert (state.blobs, len(state.missing), state.bytes_total) == (1, 1, 350)


@pytest.mark.rule("F-6")
@pytest.mark.parametrize("media_type", FOREIGN)
def test_foreign_layers_are_nobodys_to_keep(media_type: str) -> None:
    state = lone(CONFIG, layer("w", media_type=media_type), present=here("config"))
    assert (state.complete, state.blobs) == (True, 1)


@pytest.mark.rule("F-7")
def test_what_stands_in_the_manifest_is_not_missing_and_the_empty_config_may_be() -> None:
    assert lone(layer("{}", 2, inline=True), present={}).complete
    assert not lone(layer("{}", 2), present={}).complete
    assert lone(layer("{}", 2), present=here("{}")).complete


@pytest.mark.rule("F-3")
def test_layers_without_a_size_are_missing_all_the_same() -> None:
    state = lone(layer("a", -1), layer("b", -1), present=here("a"))
    assert (state.missing, state.bytes_total) == ((Missing(d("b"), "layer", -1),), 350)


def test_an_artifact_is_complete_when_its_blobs_are_here() -> None:
    root = Child(d("root"), OCI_ARTIFACT, 300)
    held = {root.digest: Held(OCI_ARTIFACT, (layer("a"),))}
    assert judge(root, held, here("root", "a")).complete
    assert not judge(root, held, here("root")).complete


def two_platforms(present: dict[Digest, int], *lost: str) -> Completeness:
    amd, arm = manifest("amd", "linux/amd64"), manifest("arm", "linux/arm64/v8")
    attestation = manifest("sbom", NO_PLATFORM)
    held = {
        ROOT.digest: Held(OCI_INDEX, (arm, amd, attestation)),
        amd.digest: Held(OCI_MANIFEST, (layer("shared"), layer("amd layer"))),
        arm.digest: Held(OCI_MANIFEST, (layer("shared"), layer("arm layer"))),
    }
    held = {digest: one for digest, one in held.items() if digest not in map(d, lost)}
    manifests = here("root", "amd", "arm", size=300)
    present = {**{m: s for m, s in manifests.items() if m in held}, **present}
    return judge(ROOT, held, present)


@pytest.mark.rule("F-5")
def test_an_index_has_a_state_for_each_platform_and_none_for_attestations() -> None:
    verdict = two_platforms(here("shared", "amd layer"))
    assert [(s.platform, s.complete) for s in verdict.platforms] == [
        ("linux/amd64", True),
        ("linux/arm64/v8", False),
    ]
    assert (verdict.complete, verdict.pullable) == (False, True)
    assert verdict.bytes_present == 900 + 100  # what both share counts once
    assert two_platforms(here("shared", "amd layer", "arm layer")).complete
    assert not two_platforms({}).pullable


def test_a_manifest_that_is_not_here_is_what_its_platform_lacks() -> None:
    verdict = two_platforms(here("shared", "amd layer"), "arm")
    state = verdict.platforms[1]
    assert state.missing == (Missing(d("arm"), OCI_MANIFEST, 300),)
    assert (state.lacks_manifest, state.blobs, state.bytes_total) == (True, 0, 300)


def test_a_manifest_needs_its_file_and_its_record() -> None:
    root = manifest("root")
    without_file = judge(root, {root.digest: Held(OCI_MANIFEST, ())}, {})
    without_record = judge(root, {}, here("root"))
    for verdict in (without_file, without_record):
        assert [state.lacks_manifest for state in verdict.platforms] == [True]


def test_nested_indexes_are_one_list() -> None:
    inner = Child(d("inner"), DOCKER_LIST, 400)
    amd, arm = manifest("amd", "linux/amd64"), manifest("arm", "linux/arm64")
    held = {
        ROOT.digest: Held(OCI_INDEX, (inner, arm)),
        inner.digest: Held(DOCKER_LIST, (amd,)),
        amd.digest: Held(OCI_MANIFEST, (layer("a"),)),
    }
    verdict = judge(ROOT, held, here("root", "inner", "amd", "a"))
    assert [(s.platform, s.complete) for s in verdict.platforms] == [
        ("linux/amd64", True),
        ("linux/arm64", False),
    ]
    assert verdict.bytes_present == 200


def test_a_circle_ends() -> None:
    held = {ROOT.digest: Held(OCI_INDEX, (ROOT,))}
    assert judge(ROOT, held, here("root")).platforms == ()


def test_an_index_that_lists_blobs_as_build_caches_do() -> None:
    held = {ROOT.digest: Held(OCI_INDEX, (layer("a"), layer("b")))}
    assert judge(ROOT, held, here("root", "a", "b")).complete
    assert not judge(ROOT, held, here("root", "a")).complete


def test_an_index_of_nothing_can_be_pulled() -> None:
    verdict = judge(ROOT, {ROOT.digest: Held(OCI_INDEX, ())}, here("root"))
    assert (verdict.platforms, verdict.pullable, verdict.complete) == ((), True, True)
