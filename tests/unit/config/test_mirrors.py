"""One mirror as the file writes it."""

import pytest
from pydantic import ValidationError

from entrepot.config.mirrors import MirrorSettings, default_name
from entrepot.oci.reference import RepositoryName, Tag
from entrepot.upstream.naming import NamingRule


def test_bare_url_is_a_mirror() -> None:
    mirror = MirrorSettings.model_validate("https://registry.k8s.io/")
    assert mirror == MirrorSettings(url="https://registry.k8s.io")
    assert mirror.naming == NamingRule()


def test_name_is_host_and_port_unless_given() -> None:
    assert MirrorSettings(url="http://127.0.0.1:5000/x").name == "127.0.0.1:5000"
    assert MirrorSettings.model_validate({"url": "http://h", "name": None}).name == "h"
    assert MirrorSettings(url="http://h", name="mine").name == "mine"
    assert default_name(None) == default_name("nonsense") == "?"


def test_naming_keys_become_one_rule() -> None:
    mirror = MirrorSettings.model_validate(
        {
            "url": "https://registry.aliyuncs.com",
            "repository": "google_containers/{name}",
            "exceptions": {"a/b": "c/d"},
            "only": ["a/*", "coredns/coredns"],
            "except": ["a/x"],
            "tags": [{"match": "v(1.*)", "replace": r"\1"}],
        }
    )

    def theirs(ours: str) -> str | None:
        return mirror.naming.repository("registry.k8s.io", RepositoryName.parse(ours))

    assert theirs("coredns/coredns") == "google_containers/coredns"
    assert theirs("a/b") == "c/d"
    assert theirs("a/x") is None
    assert theirs("pause") is None
    assert mirror.naming.tag(RepositoryName("coredns/coredns"), Tag("v1.2")) == "1.2"


def test_table_becomes_a_rule_that_carries_only_what_it_lists() -> None:
    mirror = MirrorSettings(url="https://h", table={"library/*": "docker/library/{name}"})
    rule = mirror.naming
    assert rule.repository("docker.io", RepositoryName("library/nginx")) == "docker/library/nginx"
    assert rule.repository("docker.io", RepositoryName("grafana/grafana")) is None


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({}, "Field required"),
        ({"repository": "{x}"}, "unknown placeholder {x}"),
        ({"repository": "{name}", "table": {"a": "b"}}, "repository and table together"),
        ({"table": {}}, "carries nothing"),
        ({"table": {"A": "b"}}, "not a name"),
        ({"table": {"a": "B"}}, "does not make repository names"),
        ({"exceptions": {"a": "{y}"}}, "unknown placeholder {y}"),
        ({"only": ["/x"]}, "not a name"),
        ({"except": ["x/**"]}, "not a name"),
        ({"tags": [{"match": "(", "replace": "x"}]}, "not a regular expression"),
        ({"tags": [{"match": "x", "replace": r"\1"}]}, "cannot replace"),
        ({"tags": [{"repository": "X", "match": "x", "replace": "y"}]}, "not a name"),
        ({"name": ""}, "at least 1 character"),
        ({"headers": {"Authorization": "Bearer x"}}, "under credentials"),
        ({"headers": {"accept": "*/*"}}, "Entrepot's own"),
        ({"headers": {"X Y": "z"}}, "not the name of a header"),
        ({"headers": {"X": "a\r\nY: b"}}, "on one line"),
        ({"headers": {"X": 1}}, "valid string"),
    ],
)
def test_mistakes_are_refused(written: dict[str, object], message: str) -> None:
    url = {} if written == {} else {"url": "https://h"}
    with pytest.raises(ValidationError, match=message):
        MirrorSettings.model_validate({**url, **written})


def test_secrets_of_proxy_and_headers_stay_out_of_the_repr() -> None:
    mirror = MirrorSettings(
        url="https://h", proxy="http://u:hunter2@p:3128", headers={"X-Token": "hunter3"}
    )
    assert mirror.proxy == "http://u:hunter2@p:3128"
    assert "hunter" not in repr(mirror)
