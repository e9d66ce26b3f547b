"""containerd's configuration, generation by generation."""

from __future__ import annotations

import tomllib

import pytest

from entrepot.setup.containerd import CONFIG, TABLES, knows_default
from entrepot.setup.version import Version
from unit.setup.wishes import HUB, K8S, plan, text, wish

PORTS = {K8S: 5002, HUB: 5003}
V2, V3 = TABLES[2], TABLES[3]


def config(version: str, **wanted: object) -> dict[str, object]:
    """Read config.toml's registry table, whatever it is called."""
    made = plan("containerd", version, wish(**wanted))  # type: ignore[arg-type]
    (file,) = [one for one in made.files if one.path == CONFIG]
    found = tomllib.loads(f"{file.new}{file.text}".replace("@CRI@", made.cri))
    plugins = found["plugins"]
    (name,) = plugins
    assert made.cri in {f"plugins.{name}", f'plugins."{name}"'}
    registry = plugins[name]["registry"]
    assert isinstance(registry, dict)
    return {"version": found.get("version", 1), **registry}


@pytest.mark.rule("C-1", "S-5")
def test_1_2_has_a_port_for_each_registry() -> None:
    assert config("1.2.14", ports=PORTS) == {
        "version": 1,
        "mirrors": {
            K8S: {"endpoint": ["http://10.0.0.5:5002"]},
            HUB: {"endpoint": ["http://10.0.0.5:5003"]},
        },
    }


@pytest.mark.rule("S-5")
def test_1_2_without_such_ports_is_told_how_to_get_one() -> None:
    assert "registry: k8s.gcr.io" in plan("containerd", "1.2.14").impossible
    some = plan("containerd", "1.2.14", wish(ports={K8S: 5002}))
    assert "docker.io" in some.notes[0]


@pytest.mark.rule("C-2", "C-3")
def test_1_3_has_the_registry_in_the_path_and_1_4_tells_it() -> None:
    assert config("1.3.10")["mirrors"] == {
        name: {"endpoint": [f"http://10.0.0.5:5000/v2/{name}"]} for name in (K8S, HUB)
    }
    assert config("1.4.13") == {
        "version": 2,
        "mirrors": {name: {"endpoint": ["http://10.0.0.5:5000"]} for name in (K8S, HUB)},
    }


@pytest.mark.rule("C-2")
def test_all_registries_take_a_version_that_tells_which_it_means() -> None:
    mirrors = config("1.4.13", everything=True)["mirrors"]
    assert isinstance(mirrors, dict)
    assert "*" in mirrors
    assert "*" not in str(config("1.3.10", everything=True))
    assert "only these" in plan("containerd", "1.3.10", wish(everything=True)).notes[0]


@pytest.mark.rule("C-3")
def test_before_1_5_strict_is_said_to_be_impossible() -> None:
    assert "strict" in " ".join(plan("containerd", "1.4.13", wish(strict=True)).notes)


def test_a_ca_before_1_5() -> None:
    made = plan("containerd", "1.4.13", wish("https://m:5443", ca="/ca.pem"))
    assert '[@CRI@.registry.configs."m:5443".tls]' in str(made.files[0].text)
    old = plan("containerd", "1.2.14", wish("https://m:5443", ca="/ca.pem", ports=PORTS))
    assert "system's certificates" in " ".join(old.notes)


@pytest.mark.parametrize(
    ("version", "number", "table"),
    [
        ("1.5.0", 2, V2),
        ("1.6.20~ds1", 2, V2),
        ("1.7.34", 2, V2),
        ("2.0.0", 3, V3),
        ("2.4.0", 3, V3),
    ],
)
@pytest.mark.rule("C-4", "C-9")
def test_from_1_5_on_one_directory(version: str, number: int, table: str) -> None:
    assert config(version) == {"version": number, "config_path": "@ROOT@/etc/containerd/certs.d"}
    made = plan("containerd", version)
    assert made.cri == table
    assert {one.path for one in made.files} == {
        CONFIG,
        *(f"/etc/containerd/certs.d/{name}/hosts.toml" for name in (K8S, HUB)),
    }


@pytest.mark.rule("C-4")
def test_the_default_directory_is_written_for_those_who_know_it() -> None:
    known = [one for one in ("1.6.16", "1.6.17", "1.7.0") if knows_default(Version.parse(one))]
    assert known == ["1.6.17", "1.7.0"]
    assert "_default" in plan("containerd", "1.6.16", wish(everything=True)).notes[-1]


def test_nerdctl_reads_the_same_files() -> None:
    path = f"/etc/containerd/certs.d/{K8S}/hosts.toml"
    assert text("nerdctl", "1.7.0", path) == text("containerd", "1.7.0", path)
