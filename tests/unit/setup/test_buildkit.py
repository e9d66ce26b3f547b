"""buildkitd.toml."""

from __future__ import annotations

import tomllib

import pytest

from entrepot.setup.buildkit import CONFIG
from unit.setup.wishes import HUB, K8S, plan, text, wish


@pytest.mark.rule("B-1")
def test_the_scheme_stands_in_a_table_of_the_mirrors_own() -> None:
    assert tomllib.loads(text("buildkit", "0.12.0", CONFIG)) == {
        "registry": {
            K8S: {"mirrors": ["10.0.0.5:5000"]},
            HUB: {"mirrors": ["10.0.0.5:5000"]},
            "10.0.0.5:5000": {"http": True},
        }
    }


@pytest.mark.rule("B-1")
def test_https_has_a_ca_there() -> None:
    wanted = wish("https://m:5443", ca="/ca.pem", strict=True)
    found = tomllib.loads(text("buildkit", "0.12.0", CONFIG, wanted))
    assert found["registry"]["m:5443"] == {"ca": ["@ROOT@/ca.pem"]}
    assert "registry itself" in plan("buildkit", "0.12.0", wanted).notes[1]
