"""What manifests tell about blobs before anybody fetched them."""

from __future__ import annotations

import json

from entrepot.mirror.hints import Hint, Hints
from entrepot.oci.digest import Digest
from entrepot.oci.manifest import Manifest
from entrepot.oci.mediatype import OCI_MANIFEST
from fakes.images import image, index


def test_sizes_kinds_and_who_said_so() -> None:
    picture = image("h", layers=[10, 20])
    both = index([picture])
    hints = Hints()
    hints.learn(Manifest(both.digest, both.media_type, both.manifest), "one")
    hints.learn(Manifest(picture.digest, picture.media_type, picture.manifest), "two")
    assert hints.get(picture.digest) == Hint(len(picture.manifest), "one", is_manifest=True)
    assert hints.get(Digest.of(picture.layers[1])) == Hint(20, "two", is_manifest=False)
    assert hints.get(Digest.of(b"else")) is None


def test_what_manifests_contradict_each_other_about_is_not_known() -> None:
    picture = image("h", layers=[10, 20])
    first, second = (Digest.of(layer) for layer in picture.layers)
    told = json.loads(picture.manifest)
    told["layers"][0] |= {"size": 11, "mediaType": OCI_MANIFEST}
    other = json.dumps(told).encode()
    hints = Hints()
    for body in (picture.manifest, other, picture.manifest):
        hints.learn(Manifest(Digest.of(body), picture.media_type, body), "m")
    assert hints.get(first) == Hint(None, "m", is_manifest=None)
    assert hints.get(second) == Hint(20, "m", is_manifest=False)


def test_only_so_many_are_kept() -> None:
    hints = Hints(capacity=2)
    pictures = [image(number, layers=[]) for number in range(3)]
    for picture in pictures:
        hints.learn(Manifest(picture.digest, picture.media_type, picture.manifest), "m")
    known = [hints.get(Digest.of(picture.config)) is not None for picture in pictures]
    assert known == [False, True, True]


def test_what_is_forgotten_is_not_known() -> None:
    hints = Hints()
    picture = image(0, layers=[10])
    hints.learn(Manifest(picture.digest, picture.media_type, picture.manifest), "m")
    for _ in range(2):
        hints.forget(Digest.of(picture.config))
    assert hints.get(Digest.of(picture.config)) is None
    assert hints.get(Digest.of(picture.layers[0])) is not None
