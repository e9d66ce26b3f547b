"""registries.yaml of k3s and RKE2, held against what k3s takes."""

from __future__ import annotations

import pytest
import yaml
from pydantic import BaseModel, ConfigDict

from unit.setup.wishes import HUB, K8S, plan, text, wish


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Mirror(Strict):
    endpoint: list[str]
    rewrite: dict[str, str] = {}


class Tls(Strict):
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    insecure_skip_verify: bool = False


class Config(Strict):
    auth: dict[str, str] = {}
    tls: Tls = Tls()


class Registries(Strict):
    """The fields of wharfie's Registry, which k3s and RKE2 read the file with."""

    mirrors: dict[str, Mirror]
    configs: dict[str, Config] = {}
    auths: dict[str, dict[str, str]] = {}


def read(client: str, version: str, **wanted: object) -> Registries:
    mirrors = wanted.pop("mirrors", ("10.0.0.5:5000",))
    assert isinstance(mirrors, tuple)
    made = wish(*mirrors, **wanted)  # type: ignore[arg-type]
    found = text(client, version, f"/etc/rancher/{client}/registries.yaml", made)
    return Registries.model_validate(yaml.safe_load(found))


@pytest.mark.parametrize("client", ["k3s", "rke2"])
@pytest.mark.rule("K-1", "K-2")
def test_an_endpoint_without_a_path_for_each_registry(client: str) -> None:
    endpoint = Mirror(endpoint=["http://10.0.0.5:5000"])
    assert read(client, "v1.31.4+k3s1").mirrors == {K8S: endpoint, HUB: endpoint}


@pytest.mark.rule("K-1")
def test_before_1_19_the_registry_is_in_the_path() -> None:
    assert read("k3s", "v1.17.2").mirrors[K8S].endpoint == ["http://10.0.0.5:5000/v2/k8s.gcr.io"]


@pytest.mark.parametrize(
    ("version", "late"),
    [
        ("1.22.3", False),
        ("1.26.12", False),
        ("1.26.13", True),
        ("1.27.9", False),
        ("1.28.5", False),
        ("1.28.6", True),
        ("1.29.0", False),
        ("1.29.1", True),
        ("1.33.0", True),
    ],
)
def test_what_came_in_january_2024(version: str, late: bool) -> None:
    """ "*" and the switch without which the registry itself is always asked last."""
    made = plan("k3s", version, wish(strict=True, everything=True))
    assert ("*" in read("k3s", version, everything=True).mirrors) is late
    written = [one.text for one in made.files[1:]]
    assert written == (["disable-default-registry-endpoint: true\n"] if late else [])
    assert len(made.notes) == (1 if late else 3)


def test_two_mirrors_one_of_them_twice_and_a_ca() -> None:
    """Twice the same endpoint voids what k3s makes of it (k3s#9693)."""
    mirrors = ("https://a:5443", "b:5000", "https://a:5443/")
    found = read("k3s", "1.31.4", ca="/ca.pem", mirrors=mirrors)
    assert found.mirrors[K8S].endpoint == ["https://a:5443", "http://b:5000"]
    assert found.configs == {"a:5443": Config(tls=Tls(ca_file="@ROOT@/ca.pem"))}
