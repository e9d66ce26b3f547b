"""The settings files that come with Entrepot load, are complete, and tell the truth."""

import re

import pytest
import yaml

from entrepot.config import MirrorSettings, Settings, default_path, load_settings, preset_path
from entrepot.config.clients import (
    AdminSettings,
    AuthSettings,
    ClientSettings,
    ListenSettings,
    TlsSettings,
)
from entrepot.config.credentials import Credentials
from entrepot.config.frozen import Frozen
from entrepot.config.keys import written_keys
from entrepot.config.limits import Allowance, BandwidthRule, LimitSettings
from entrepot.config.mirrors import TagRuleSettings
from entrepot.config.prefetch import PrefetchSettings
from entrepot.config.routes import RedirectRule
from entrepot.config.settings import (
    CacheSettings,
    CompatibilitySettings,
    LogSettings,
    RegistrySettings,
    ScrubSettings,
    TagSettings,
    TimeoutSettings,
)
from entrepot.config.signatures import KeylessSettings, VerifyRule
from entrepot.config.trust import TrustSettings
from entrepot.oci.reference import RepositoryName, Tag

DEFAULT_TEXT = default_path().read_text(encoding="utf-8")
DEFAULT = yaml.safe_load(DEFAULT_TEXT)
PRESETS = sorted(path.stem for path in (default_path().parent / "presets").glob("*.yaml"))
SECTIONS: dict[str, type[Frozen]] = {
    "cache": CacheSettings,
    "timeouts": TimeoutSettings,
    "tags": TagSettings,
    "log": LogSettings,
    "compatibility": CompatibilitySettings,
    "auth": AuthSettings,
    "clients": ClientSettings,
    "trust": TrustSettings,
}


def test_every_top_key_is_written() -> None:
    assert set(DEFAULT) == set(written_keys(Settings))


@pytest.mark.parametrize("section", SECTIONS)
def test_every_key_of_a_section_is_written(section: str) -> None:
    assert set(DEFAULT[section]) == set(written_keys(SECTIONS[section]))


def test_every_key_of_the_scrub_is_written() -> None:
    assert set(DEFAULT["cache"]["scrub"]) == set(written_keys(ScrubSettings))


def test_every_section_is_known_to_this_test() -> None:
    annotations = {name: info.annotation for name, info in Settings.model_fields.items()}
    sections = {
        name: model
        for name, model in annotations.items()
        if isinstance(model, type) and issubclass(model, Frozen)
    }
    assert sections == SECTIONS


def test_one_registry_and_one_mirror_have_every_key_written() -> None:
    registry = DEFAULT["registries"]["registry.k8s.io"]
    assert set(registry) == set(written_keys(RegistrySettings))
    assert set(registry["mirrors"][0]) == set(written_keys(MirrorSettings))
    assert set(registry["mirrors"][0]["limits"]) == set(written_keys(LimitSettings))


@pytest.mark.parametrize(
    ("model", "but_for"),
    [
        (Credentials, set()),
        (TagRuleSettings, set()),
        (ListenSettings, {"port"}),  # and `host`, which another model has too
        (AdminSettings, {"port"}),
        (TlsSettings, set()),
        (RedirectRule, set()),
        (BandwidthRule, set()),
        (VerifyRule, set()),
        (KeylessSettings, set()),
        (PrefetchSettings, set()),
    ],
)
def test_keys_without_a_default_value_are_shown_in_comments(
    model: type[Frozen], but_for: set[str]
) -> None:
    comments = "\n".join(re.findall(r"#.*", DEFAULT_TEXT))
    missing = {key for key in written_keys(model) if not re.search(rf"\b{key}: ", comments)}
    assert missing == but_for


def test_defaults_written_are_the_defaults_that_hold() -> None:
    written = load_settings(default_path())
    assert written.model_copy(update={"registries": {}}) == Settings()
    first, *_ = written.registries["registry.k8s.io"].mirrors
    plain = MirrorSettings(url="https://registry.k8s.io", authority=True)
    assert first.model_copy(update={"repository": None}) == plain
    assert first.naming == plain.naming
    assert written.registries["registry.k8s.io"].tag_ttl is None


def test_every_line_of_settings_is_explained() -> None:
    """A key is explained at its end, above it, or by the paragraph that its block begins with."""
    blocks = DEFAULT_TEXT.partition("registries:\n")[0].split("\n\n")
    unexplained = [
        block for block in blocks if re.search(r"^\w", block, re.MULTILINE) and "#" not in block
    ]
    assert unexplained == []


@pytest.mark.parametrize(
    "name",
    ["registry.k8s.io", "docker.io", "quay.io", "ghcr.io", "gcr.io", "mcr.microsoft.com"],
)
def test_default_registries_ask_the_authority_first(name: str) -> None:
    registry = load_settings(default_path()).registries[name]
    assert [mirror.authority for mirror in registry.mirrors].index(True) == 0
    host = registry.mirrors[0].name
    assert host in {name, "registry-1.docker.io"}


def test_default_leads_old_names_of_kubernetes_images_to_where_they_are() -> None:
    settings = load_settings(default_path())
    assert settings.registries["registry.k8s.io"].aliases == ("k8s.gcr.io",)
    own, moved = settings.registries["gcr.io"].mirrors
    for old in ("google_containers/pause", "google-containers/pause"):
        assert own.naming.repository("gcr.io", RepositoryName(old)) is None
        assert moved.naming.repository("gcr.io", RepositoryName(old)) == "pause"
    cadvisor = RepositoryName("cadvisor/cadvisor")
    assert own.naming.repository("gcr.io", cadvisor) == "cadvisor/cadvisor"
    assert moved.naming.repository("gcr.io", cadvisor) is None


@pytest.mark.parametrize("preset", PRESETS)
def test_preset_loads_and_serves_what_the_default_serves(preset: str) -> None:
    settings = load_settings(preset_path(preset))
    assert settings == load_settings(preset=preset)
    assert set(settings.registries) >= set(load_settings(default_path()).registries)


def test_china_keeps_to_what_daocloud_allows_for_all_registries_together() -> None:
    found = [
        mirror
        for registry in load_settings(preset_path("china")).registries.values()
        for mirror in registry.mirrors
        if mirror.name == "m.daocloud.io"
    ]
    assert len(found) == 6
    assert {mirror.patience for mirror in found} == {90.0}
    (limits,) = {mirror.limits for mirror in found}
    assert (limits.concurrency, limits.requests_per_minute) == (10, 20)
    assert limits.bytes_per_window == Allowance(1 << 30, 7200.0)


def test_china_is_among_the_presets() -> None:
    assert "china" in PRESETS


@pytest.mark.parametrize(
    ("mirror", "pause", "coredns", "controller"),
    [
        (
            "m.daocloud.io",
            "registry.k8s.io/pause:3.1",
            "registry.k8s.io/coredns/coredns:v1.11.1",
            "registry.k8s.io/ingress-nginx/controller:v1.12.0",
        ),
        (
            "k8s.nju.edu.cn",
            "pause:3.1",
            "coredns/coredns:v1.11.1",
            "ingress-nginx/controller:v1.12.0",
        ),
        (
            "rancher",
            "rancher/mirrored-pause:3.1",
            "rancher/mirrored-coredns-coredns:1.11.1",
            "rancher/mirrored-ingress-nginx-controller:v1.12.0",
        ),
        (
            "aliyun",
            "google_containers/pause:3.1",
            "google_containers/coredns:v1.11.1",
            "google_containers/nginx-ingress-controller:v1.12.0",
        ),
        (
            "huawei",
            "ddn-k8s/registry.k8s.io/pause:3.1",
            "ddn-k8s/registry.k8s.io/coredns/coredns:v1.11.1",
            "ddn-k8s/registry.k8s.io/ingress-nginx/controller:v1.12.0",
        ),
    ],
)
def test_china_names_images_as_each_mirror_does(
    mirror: str, pause: str, coredns: str, controller: str
) -> None:
    mirrors = load_settings(preset_path("china")).registries["registry.k8s.io"].mirrors
    (found,) = [candidate for candidate in mirrors if candidate.name == mirror]
    for ours, tag, expected in (
        ("pause", "3.1", pause),
        ("coredns/coredns", "v1.11.1", coredns),
        ("ingress-nginx/controller", "v1.12.0", controller),
    ):
        repository = RepositoryName(ours)
        theirs = found.naming.repository("registry.k8s.io", repository)
        assert f"{theirs}:{found.naming.tag(repository, Tag(tag))}" == expected


def test_china_asks_no_mirror_that_is_not_listed_above() -> None:
    mirrors = load_settings(preset_path("china")).registries["registry.k8s.io"].mirrors
    assert [mirror.name for mirror in mirrors] == [
        "m.daocloud.io",
        "k8s.nju.edu.cn",
        "rancher",
        "aliyun",
        "huawei",
    ]
