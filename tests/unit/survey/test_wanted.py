"""What people write becomes an image that mirrors can be asked for."""

from __future__ import annotations

import pytest

from entrepot.config import load_settings
from entrepot.errors import NameInvalid, NameUnknown, TagInvalid
from entrepot.survey.wanted import names_of, pinned, read_wanted, sample_of
from fakes.images import image
from unit.survey.surveyed import PAUSE, REGISTRY, pinned_to, settings_of

NAMES = names_of(settings_of("https://m.example"))


def test_names_of_images() -> None:
    assert read_wanted("short.example/pause:3.1", NAMES) == PAUSE
    assert str(read_wanted(f" {REGISTRY}/pause:3.1 ", NAMES)) == f"{REGISTRY}/pause:3.1"


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (REGISTRY, NameInvalid),
        (f"{REGISTRY}/pause", NameInvalid),
        (f"{REGISTRY}/pause@sha256:{'a' * 64}", NameInvalid),
        (f"{REGISTRY}/pause:-", TagInvalid),
        ("elsewhere.example/pause:3.1", NameUnknown),
        ("pause:3.1", NameUnknown),
    ],
)
def test_what_cannot_be_asked_for(text: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        read_wanted(text, NAMES)


def test_every_registry_of_the_built_in_settings_has_a_sample() -> None:
    settings = load_settings()
    for registry in settings.registries:
        assert sample_of(registry) is not None
        assert read_wanted(registry, names_of(settings)) == sample_of(registry)
    assert sample_of(REGISTRY) is None


def test_pins_are_chosen_by_patterns() -> None:
    one = image("one")
    assert list(pinned(pinned_to(one), ["short.example/pause"], NAMES)) == [PAUSE]
    assert list(pinned(pinned_to(one), ["pau*"], NAMES)) == [PAUSE]
    assert pinned(pinned_to(one), ["other", f"{REGISTRY}/pause:4"], NAMES) == {}
    assert pinned(pinned_to(one), [], NAMES) == {}
    strangers = names_of(load_settings(overrides={"registries": {}}))
    assert pinned(pinned_to(one), ["*"], strangers) == {}
