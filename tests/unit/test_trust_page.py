"""docs/trust.md tells the truth: its settings load, its pins are pins, its names exist."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from entrepot.config import TrustSettings
from entrepot.config.kubernetes import kubernetes_images
from entrepot.config.mirrors import MirrorSettings
from entrepot.metrics import Metrics
from entrepot.mirror import judging
from entrepot.mirror.ledger import DEMOTED_S
from entrepot.store.ledger import LONGEST_S, MOST_ROWS
from entrepot.trust.pinfile import read_pin_file
from entrepot.trust.pinloading import load_pins, shipped_pins
from entrepot.trust.policy import NEVER_MOVING, PINNED_WHERE_KNOWN

PAGE = (Path(__file__).parents[2] / "docs" / "trust.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


def test_the_examples_are_settings_and_pins() -> None:
    policies, pins, planes = BLOCKS
    trust = yaml.safe_load(policies)["trust"]
    assert set(trust) <= set(TrustSettings.model_fields)
    table = TrustSettings(policy=trust["policy"], policies=trust["policies"]).table({})
    assert str(table.policy("docker.io", "library/nginx")) == "pinned, agree 2"
    assert len(read_pin_file("pins", pins.splitlines(keepends=True))) == 2
    parsed = yaml.safe_load(planes)
    assert TrustSettings.model_validate(parsed["trust"]).policies
    for mirror in parsed["registries"]["registry.k8s.io"]["mirrors"]:
        assert MirrorSettings.model_validate(mirror).url


def test_the_defaults_are_told() -> None:
    assert f"{PINNED_WHERE_KNOWN} " in PAGE
    assert f"{NEVER_MOVING} " in PAGE


def test_names_and_numbers_are_those_of_the_code() -> None:
    metrics = Metrics()
    metrics.distrusted("registry", "mirror", "pinned")
    assert "entrepot_trust_refusals_total" in metrics.render().decode()
    source = Path(judging.__file__).read_text(encoding="utf-8")
    told = set(re.findall(r"`(trust\.\w+)`", PAGE)) - {f"trust.{k}" for k in ("pins", "lock")}
    assert told == set(re.findall(r'"(trust\.\w+)"', source))
    assert (DEMOTED_S, LONGEST_S, MOST_ROWS) == (3600.0, 2 * 365 * 86_400.0, 100_000)


def test_the_page_tells_how_much_of_what_kubeadm_asks_for_is_pinned() -> None:
    pins, table = load_pins(shipped_pins()), kubernetes_images()
    asked: dict[str, set[str]] = {}
    for row in table.rows:
        for name in table.images(str(row.first)):
            repository, _, tag = name.partition("/")[2].rpartition(":")
            asked.setdefault(repository, set()).add(tag)
    for repository, told in re.findall(
        r"^\| `([a-z/]+)`[^|]*\| (\d+ of \d+) \|$", PAGE, re.MULTILINE
    ):
        tags = asked.pop(repository)
        pinned = [tag for tag in tags if pins.digest("registry.k8s.io", repository, tag)]
        assert told == f"{len(pinned)} of {len(tags)}", repository
    assert asked.keys() == set(table.components)
    for name in table.sandboxes:
        repository, _, tag = name.partition("/")[2].rpartition(":")
        assert pins.digest("registry.k8s.io", repository, tag) is not None
