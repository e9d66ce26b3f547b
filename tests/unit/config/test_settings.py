"""The whole tree, built directly."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from entrepot.config.clients import AdminSettings, ListenSettings
from entrepot.config.settings import Settings


def test_nothing_given_is_the_documented_default() -> None:
    settings = Settings()
    assert [str(listener) for listener in settings.listen] == ["0.0.0.0:5000"]
    assert settings.admin == AdminSettings(host="127.0.0.1", port=5001)
    assert settings.cache.path == Path("/var/lib/entrepot")
    assert (settings.timeouts.headers, settings.timeouts.overtake) == (25.0, 2.0)
    assert (settings.tags.ttl, settings.tags.negative_ttl) == (300.0, 30.0)
    assert not settings.compatibility.not_found_instead_of_5xx


@pytest.mark.rule("S-5")
def test_listeners_carry_a_registry_of_their_own() -> None:
    settings = Settings.model_validate(
        {"listen": ["[::]:5000", {"address": "0.0.0.0:5001", "registry": "k8s.gcr.io"}]}
    )
    assert settings.listen == (
        ListenSettings(host="::", port=5000),
        ListenSettings(host="0.0.0.0", port=5001, registry="k8s.gcr.io"),
    )


def test_one_listener_needs_no_list() -> None:
    one = {"address": "127.0.0.1:0", "registry": "docker.io"}
    assert Settings.model_validate({"listen": one}) == Settings.model_validate({"listen": [one]})


@pytest.mark.parametrize("off", [None, "none"])
def test_admin_can_be_switched_off(off: str | None) -> None:
    assert Settings.model_validate({"admin": off}).admin is None


@pytest.mark.parametrize(
    "written",
    [
        {"listen": []},
        {"registries": {"docker.io": {"mirrors": []}}},
        {"registries": {"docker.io": {}}},
        {"log": {"format": "xml"}},
        {"timeouts": {"stall": 0}},
        {"hosts": {"a:80": "docker.io"}},
    ],
    ids=str,
)
def test_mistakes_are_refused_once(written: dict[str, object]) -> None:
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate(written)
    assert caught.value.error_count() == 1


def test_the_cache_has_no_limit_but_leaves_room_to_others() -> None:
    cache = Settings().cache
    assert (cache.max_size, cache.min_free, cache.keep) == (None, 2 * 1024**3, ())


def test_limits_of_the_cache() -> None:
    cache = Settings.model_validate(
        {"cache": {"max_size": "1.5GB", "min_free": "none", "keep": ["docker.io/library/*"]}}
    ).cache
    assert (cache.max_size, cache.min_free) == (1_500_000_000, 0)
    assert [str(rule) for rule in cache.keep] == ["docker.io/library/*"]
    assert Settings.model_validate({"cache": {"max_size": "none"}}).cache.max_size is None


@pytest.mark.parametrize(
    ("cache", "place"),
    [
        ({"max_size": 0}, ("cache", "max_size")),
        ({"min_free": "much"}, ("cache", "min_free")),
        ({"keep": ["docker.io/a", "nginx"]}, ("cache", "keep", 1)),
        ({"keep": [{"kubernetes": "v1.99.0"}]}, ("cache", "keep", 0)),
    ],
)
def test_limits_that_are_none(cache: dict[str, object], place: tuple[str | int, ...]) -> None:
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate({"cache": cache})
    assert [error["loc"] for error in caught.value.errors()] == [place]
