"""Policies in the settings: held against the parser, and by whatever name of a registry."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from entrepot.config import ConfigError, Settings, load_settings
from entrepot.config.trust import TrustSettings
from entrepot.trust.policy import DEFAULTS, Policy


def test_without_a_word_kubernetes_tags_never_move() -> None:
    table = TrustSettings().table({})
    assert table.policy("registry.k8s.io", "pause") == DEFAULTS["registry.k8s.io"]
    assert str(table.policy("docker.io", "library/nginx")) == "pinned, authority, first warn"


def test_a_policy_may_be_written_with_an_alias() -> None:
    trust = TrustSettings(policies={"k8s.gcr.io/coredns/*": "agree 2", "quay.io": "first"})
    table = trust.table({"k8s.gcr.io": "registry.k8s.io", "registry.k8s.io": "registry.k8s.io"})
    assert table.policy("registry.k8s.io", "coredns/coredns") == Policy.parse("agree 2")
    assert table.policy("registry.k8s.io", "pause") == DEFAULTS["registry.k8s.io"]
    assert table.policy("quay.io", "x/y") == Policy.parse("first")


@pytest.mark.parametrize(
    "wrong",
    [
        {"policy": "trusting"},
        {"policy": ""},
        {"policies": {"quay.io": "first, pinned"}},
        {"policies": {"quay.io/*/x": "first"}},
        {"pinned": True},
    ],
    ids=str,
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        TrustSettings.model_validate(wrong)


def test_mistakes_are_told_with_their_line(tmp_path: Path) -> None:
    file = tmp_path / "entrepot.yaml"
    file.write_text(
        "trust:\n  pins: [none.yaml]\n  policies:\n    k8s.gcr.oi: first\n    quay.io: sometimes\n"
    )
    with pytest.raises(ConfigError) as caught:
        load_settings(file)
    told = [(problem.line, problem.message) for problem in caught.value.problems]
    assert (2, "there is no such file") in told
    assert (4, "k8s.gcr.oi is not among the registries, but k8s.gcr.io is") in told
    assert any(line == 5 and "is not known" in message for line, message in told)


def test_a_policy_that_no_mirror_can_fulfil_is_told() -> None:
    settings = Settings.model_validate(
        {
            "registries": {"quay.io": {"mirrors": ["https://a.example", "https://b.example"]}},
            "trust": {"policies": {"quay.io": "agree 3"}},
        }
    )
    [told] = settings.hopeless_policies()
    assert told.startswith("quay.io has the policy `agree 3`, but 3 mirrors are to agree, and they")


def test_mirrors_of_one_host_are_no_two_that_could_agree() -> None:
    mirrors = [
        {"url": f"https://a.example{port}", "name": name, "repository": f"{name}/{{name}}"}
        for name, port in (("x", ""), ("y", ":443"))
    ]
    settings = Settings.model_validate(
        {
            "registries": {"quay.io": {"mirrors": mirrors}},
            "trust": {"policies": {"quay.io": "agree 2"}},
        }
    )
    [told] = settings.hopeless_policies()
    assert "on 1 hosts" in told
