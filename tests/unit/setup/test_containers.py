"""registries.conf.d for podman and CRI-O."""

from __future__ import annotations

import tomllib

import pytest

from entrepot.setup.containers import DROP_IN
from unit.setup.wishes import K8S, plan, text, wish


@pytest.mark.rule("P-1")
def test_the_registrys_name_is_in_the_path() -> None:
    found = tomllib.loads(text("podman", "4.3.1", DROP_IN, wish(registries=(K8S, "quay.io"))))
    assert found["registry"] == [
        {
            "prefix": name,
            "location": owner,
            "mirror": [{"location": f"10.0.0.5:5000/{name}", "insecure": True}],
        }
        for name, owner in ((K8S, "registry.k8s.io"), ("quay.io", "quay.io"))
    ]


@pytest.mark.rule("P-1")
def test_strict_makes_the_last_mirror_the_registry() -> None:
    """`blocked` would block the mirrors as well."""
    wanted = wish("a:5000", "https://b:5443", strict=True, ca="/ca.pem", registries=(K8S,))
    found = tomllib.loads(text("podman", "4.3.1", DROP_IN, wanted))
    assert found["registry"] == [
        {
            "prefix": K8S,
            "location": f"b:5443/{K8S}",
            "mirror": [{"location": f"a:5000/{K8S}", "insecure": True}],
        }
    ]
    copies = [one.path for one in plan("podman", "4.3.1", wanted).files if one.text is None]
    assert copies == ["/etc/containers/certs.d/b:5443/ca.crt"]


def test_crio_is_told_to_read_it() -> None:
    assert plan("crio", "1.30.0").files == plan("podman", "4.3.1").files
    assert plan("crio", "1.30.0").restart == "systemctl reload crio"
