"""The promoter's own files become pins; what is odd in them is told, never guessed about."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.oci.digest import Digest
from entrepot.trust.promoter import Oddity, promoted_pins, read_destinations, read_images

A, B, C = (Digest.of(data) for data in (b"a", b"b", b"c"))
PAUSE = "sha256:f78411e19d84a252e53bff71a4407a5686c46983a2c2eeed83929b888179acea"
LEGACY = f"""\
- name: addon-builder
  dmap:
    "{PAUSE}": ["am-i-a-manifest-list"]
- name: pause
  dmap:
    "{PAUSE}": ["3.1"]
    "{A}": []
    "{B}": []
    "{C}": [3.10, latest]
"""


def kinds(text: str) -> list[Oddity]:
    images, odd = read_images("images.yaml", text)
    _, more = promoted_pins("images.yaml", images, [""])
    return [found.kind for found in (*odd, *more)]


def test_each_tag_of_each_digest_is_a_pin() -> None:
    images, odd = read_images("images.yaml", LEGACY)
    pins, more = promoted_pins("images.yaml", images, ["", "kubernetes"])
    assert {pin.image: str(pin.digests[0]) for pin in pins} == {
        "registry.k8s.io/addon-builder:am-i-a-manifest-list": PAUSE,
        "registry.k8s.io/kubernetes/addon-builder:am-i-a-manifest-list": PAUSE,
        "registry.k8s.io/pause:3.1": PAUSE,
        "registry.k8s.io/kubernetes/pause:3.1": PAUSE,
        "registry.k8s.io/pause:3.10": str(C),  # a tag, not a number, also without quotes
        "registry.k8s.io/kubernetes/pause:3.10": str(C),
        "registry.k8s.io/pause:latest": str(C),
        "registry.k8s.io/kubernetes/pause:latest": str(C),
    }
    assert odd == ()
    assert [str(found) for found in more] == [
        "images.yaml: digests without tags, which need no pin: 2 of them",
        f"images.yaml:6: one digest under several names: {PAUSE} is addon-builder, pause",
    ]


def test_a_tag_under_two_digests_has_both_and_the_last_is_served() -> None:
    text = f'- name: pause\n  dmap:\n    "{A}": ["1"]\n    "{B}": ["1", "1"]\n'
    images, _ = read_images("images.yaml", text)
    [pin], [odd] = promoted_pins("images.yaml", images, [""])
    assert pin.digests == (B, A)
    assert (odd.kind, odd.line) == (Oddity.TWO_DIGESTS, 4)
    assert f"{A} on line 3, {B} on line 4" in odd.text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# TODO: add images when available.\n",
        "[]",
        f'- {{name: x, dmap: {{"{A}": ["1"]}}}}',
        "- name: x\n  dmap:\n",
        "- name: x\n",
    ],
    ids=["empty", "comment", "list", "flow", "no digests", "no tags"],
)
def test_nothing_odd_about_it(text: str) -> None:
    assert kinds(text) == []


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("- name: [", Oddity.UNREADABLE),
        ("name: pause", Oddity.UNREADABLE),
        ("just text", Oddity.UNREADABLE),
        ("- name: pause\n  dmap: text", Oddity.UNREADABLE),
        ("- name: pause\n  dmap: [text]", Oddity.UNREADABLE),
        (f'- name: pause\n  dmap:\n    "{A}": {{x: y}}', Oddity.UNREADABLE),
        (f'- name: Pause\n  dmap:\n    "{A}": ["1"]', Oddity.WRONG_NAME),
        (f'- dmap:\n    "{A}": ["1"]', Oddity.WRONG_NAME),
        ('- name: pause\n  dmap:\n    "sha256:abc": ["1"]', Oddity.WRONG_NAME),
        ("- name: pause\n  dmap:\n    [x]: ['1']", Oddity.WRONG_NAME),
        (f'- name: pause\n  dmap:\n    "{A}": ["-1"]', Oddity.WRONG_NAME),
    ],
)
def test_what_cannot_be_used_is_told(text: str, kind: Oddity) -> None:
    images, odd = read_images("images.yaml", text)
    assert [found.kind for found in odd] == [kind]
    assert promoted_pins("images.yaml", images, [""])[0] == ()


def test_a_wrong_line_does_not_take_the_others_with_it() -> None:
    text = f'- name: pause\n  dmap:\n    "sha256:abc": ["1"]\n    "{A}": ["2", "-", "3"]\n'
    images, odd = read_images("images.yaml", text)
    assert [found.tags for found in images] == [("2", "3")]
    assert [found.line for found in odd] == [3, 4]


@pytest.mark.parametrize(
    ("name", "prefix"),
    [
        ("us.gcr.io/k8s-artifacts-prod", ""),
        ("us.gcr.io/k8s-artifacts-prod/coredns", "coredns"),
        ("asia.gcr.io/k8s-artifacts-prod/sig-storage", "sig-storage"),
        ("us-west2-docker.pkg.dev/k8s-artifacts-prod/images", ""),
        ("asia-northeast1-docker.pkg.dev/k8s-artifacts-prod/images/coredns", "coredns"),
        ("us-docker.pkg.dev/k8s-artifacts-prod/images/e2e/inner", "e2e/inner"),
        ("registry.k8s.io", ""),
        ("k8s.gcr.io/etcdadm", "etcdadm"),
    ],
)
def test_destinations_are_names_of_registry_k8s_io(name: str, prefix: str) -> None:
    text = f"registries:\n- name: gcr.io/k8s-staging-x\n  src: true\n- name: {name}\n"
    assert read_destinations("promoter-manifest.yaml", text) == ((prefix,), (), ())


@pytest.mark.parametrize(
    "name",
    [
        "us.gcr.io/k8s-artifacts-prod-evil",
        "evil.example/us.gcr.io/k8s-artifacts-prod",
        "us.gcr.io/k8s-artifacts-prod/Upper",
        "gcr.io/k8s-staging-y",
        "''",
    ],
)
def test_other_destinations_are_not_used(name: str) -> None:
    prefixes, _, [odd] = read_destinations("m", f"registries: [{{name: {name}}}]")
    assert prefixes == ()
    assert odd.kind is Oddity.UNKNOWN_DESTINATION


def test_many_regions_are_one_prefix_and_a_manifest_may_hold_images() -> None:
    text = f"""\
registries:
- name: us-central1-docker.pkg.dev/k8s-artifacts-prod/images
- name: us-east1-docker.pkg.dev/k8s-artifacts-prod/images
- name: us-east1-docker.pkg.dev/k8s-artifacts-prod/images/kubernetes
images:
- name: pause
  dmap: {{"{A}": ["1"]}}
"""
    prefixes, [image], odd = read_destinations("m", text)
    assert prefixes == ("", "kubernetes")
    assert (image.name, image.digest, image.tags) == ("pause", A, ("1",))
    assert odd == ()


def test_a_manifest_of_another_shape_is_told() -> None:
    for text in ("- a list", "registries: text", "registries:\n- text"):
        prefixes, images, odd = read_destinations("m", text)
        assert (prefixes, images) == ((), ())
        assert Oddity.UNREADABLE in {found.kind for found in odd}


@given(st.text(max_size=60))
def test_any_text_is_read_without_an_error(text: str) -> None:
    read_images("images.yaml", text)
    read_destinations("promoter-manifest.yaml", text)
