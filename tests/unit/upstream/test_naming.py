"""What mirrors call repositories and tags: the five shapes, exceptions, what is carried."""

import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from entrepot.oci.reference import RepositoryName, Tag
from entrepot.upstream.naming import NamingRule, Pattern, TagRule, Template

KNOWN_MIRRORS = yaml.safe_load(
    (Path(__file__).parents[2] / "data" / "mirror-names.yaml").read_text(encoding="utf-8")
)
NAMES = st.from_regex(r"[a-z0-9]{1,8}([._-][a-z0-9]{1,8})?(/[a-z0-9]{1,8}){0,3}", fullmatch=True)


def theirs(rule: NamingRule, ours: str, registry: str = "registry.k8s.io") -> str | None:
    return rule.repository(registry, RepositoryName.parse(ours))


def known_examples() -> list[object]:
    return [
        pytest.param(mirror["rule"], ours, name, id=f"{mirror['id']} {ours}")
        for mirror in KNOWN_MIRRORS
        for ours, name in mirror["examples"].items()
    ]


@pytest.mark.parametrize(("written", "ours", "name"), known_examples())
def test_known_mirrors_are_named_as_they_are_reported(
    written: dict[str, object], ours: str, name: str
) -> None:
    """Each example was seen in the wild: registry/repository:tag here, repository:tag there."""
    registry, _, rest = ours.partition("/")
    repository, _, tag = rest.partition(":")
    texts = {key: value for key, value in written.items() if key != "tags"}
    tags = written.get("tags", [])
    assert isinstance(tags, list)
    rules = [TagRule.parse(**rule) for rule in tags]
    rule = NamingRule.parse(**texts, tags=rules)  # type: ignore[arg-type]
    ours_name = RepositoryName.parse(repository)
    answer = f"{rule.repository(registry, ours_name)}:{rule.tag(ours_name, Tag.parse(tag))}"
    assert answer == name


@pytest.mark.parametrize(
    ("template", "ours", "name"),
    [
        ("{repository}", "coredns/coredns", "coredns/coredns"),
        ("registry.k8s.io/{repository}", "coredns/coredns", "registry.k8s.io/coredns/coredns"),
        ("{registry}/{repository}", "pause", "registry.k8s.io/pause"),
        (
            "google_containers/{name}",
            "sig-storage/csi-provisioner",
            "google_containers/csi-provisioner",
        ),
        ("google_containers/{name}", "pause", "google_containers/pause"),
        ("rancher/mirrored-{repository:-}", "a/b/c", "rancher/mirrored-a-b-c"),
        ("x/google-containers.{repository:.}", "a/b", "x/google-containers.a.b"),
        ("x/{repository:__}", "a/b", "x/a__b"),
        ("always/this", "a/b", "always/this"),
    ],
)
def test_shapes(template: str, ours: str, name: str) -> None:
    assert theirs(NamingRule.parse(template), ours) == name


@settings(max_examples=50)
@given(NAMES)
def test_without_a_rule_nothing_changes(name: str) -> None:
    assert theirs(NamingRule(), name) == name


@settings(max_examples=50)
@given(NAMES, st.sampled_from(["{registry}/{repository}", "ns/{name}", "x-{repository:-}"]))
def test_outcome_is_a_repository_name(name: str, template: str) -> None:
    outcome = theirs(NamingRule.parse(template), name)
    assert outcome is not None
    assert RepositoryName.parse(outcome) == outcome


def test_name_that_the_mirror_cannot_have_is_not_carried() -> None:
    long = "a" * 250
    assert theirs(NamingRule.parse("{registry}/{repository}"), long) is None
    assert theirs(NamingRule.parse("{registry}/{repository}"), "pause", "host:5000") is None


def test_table_carries_what_it_lists_and_nothing_else() -> None:
    rule = NamingRule.parse(
        table={
            "pause": "rancher/mirrored-pause",
            "library/*": "docker/library/{name}",
            "coreos/*": "coreos_containers/{rest}",
            "join/*": "j/{rest:-}",
        }
    )
    assert theirs(rule, "pause") == "rancher/mirrored-pause"
    assert theirs(rule, "library/nginx") == "docker/library/nginx"
    assert theirs(rule, "coreos/a/b") == "coreos_containers/a/b"
    assert theirs(rule, "join/a/b") == "j/a-b"
    assert theirs(rule, "etcd") is None
    assert theirs(rule, "library") is None
    assert theirs(rule, "librarian/x") is None


def test_exceptions_win_over_template_and_table() -> None:
    exceptions = {"ingress-nginx/controller": "google_containers/nginx-ingress-controller"}
    flat = NamingRule.parse("google_containers/{name}", exceptions=exceptions)
    assert theirs(flat, "ingress-nginx/controller") == "google_containers/nginx-ingress-controller"
    assert theirs(flat, "ingress-nginx/kube-webhook-certgen") == (
        "google_containers/kube-webhook-certgen"
    )
    listed = NamingRule.parse(table={"ingress-nginx/*": "no/no"}, exceptions=exceptions)
    assert (
        theirs(listed, "ingress-nginx/controller") == "google_containers/nginx-ingress-controller"
    )


def test_whole_name_wins_over_patterns_and_longer_over_shorter() -> None:
    table = {"*": "all/{rest}", "a/*": "a1/{rest}", "a/b/*": "ab/{rest}", "a/b/c": "exact"}
    for entries in (table, dict(reversed(table.items()))):
        rule = NamingRule.parse(table=entries)
        assert theirs(rule, "x/y") == "all/x/y"
        assert theirs(rule, "a/y") == "a1/y"
        assert theirs(rule, "a/b/y") == "ab/y"
        assert theirs(rule, "a/b/c") == "exact"


def test_only_and_except_narrow_what_is_carried_by_our_names() -> None:
    rule = NamingRule.parse(
        "ns/{name}",
        only=["coredns/*", "pause"],
        excluded=["coredns/old"],
        exceptions={"coredns/old": "x", "etcd": "y"},
    )
    assert theirs(rule, "coredns/coredns") == "ns/coredns"
    assert theirs(rule, "pause") == "ns/pause"
    assert theirs(rule, "coredns/old") is None
    assert theirs(rule, "etcd") is None


@pytest.mark.parametrize(
    ("repository", "tag", "renamed"),
    [
        ("coredns/coredns", "v1.6.7", "1.6.7"),
        ("coredns/coredns", "v1.7.0", "1.7.0"),
        ("coredns/coredns", "v1.8.0", "v1.8.0"),
        ("coredns/coredns", "v1.11.1", "v1.11.1"),
        ("coredns/coredns", "xv1.6.7", "xv1.6.7"),
        ("etcd", "v1.6.7", "v1.6.7"),
        ("sig/x", "v9", "nine"),
        ("sig/x", "v10", "ten-or-more"),
    ],
)
def test_tag_is_renamed_by_the_first_rule_that_matches_as_a_whole(
    repository: str, tag: str, renamed: str
) -> None:
    rule = NamingRule(
        tags=(
            TagRule.parse("coredns/coredns", r"v(1\.[0-7]\..*)", r"\1"),
            TagRule.parse("sig/*", "v9", "nine"),
            TagRule.parse("sig/*", "v.*", "ten-or-more"),
        )
    )
    assert rule.tag(RepositoryName(repository), Tag(tag)) == renamed


def test_tag_that_a_rule_would_spoil_is_left_alone() -> None:
    rule = TagRule.parse("*", "v(.*)", r"-\1")
    assert rule.apply("pause", Tag("v1")) == "v1"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{repo}", "unknown placeholder {repo}"),
        ("{}", "unknown placeholder {}"),
        ("{name:-}", "unknown placeholder {name:-}"),
        ("{registry:-}", "unknown placeholder {registry:-}"),
        ("{repository:}", "names no separator"),
        ("x/{repository:%}", "does not make repository names"),
        ("Upper/{name}", "does not make repository names"),
        ("/{name}", "does not make repository names"),
        ("a//{name}", "does not make repository names"),
        ("{name", "does not make repository names"),
        ("{name}:v1", "does not make repository names"),
        ("", "does not make repository names"),
    ],
)
def test_bad_template_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        Template.parse(text)


@pytest.mark.parametrize("text", ["", "/*", "a*", "a/**", "*/a", "A", "a/", "a/*/b", "**"])
def test_bad_pattern_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a name, nor one ending in"):
        Pattern.parse(text)


@pytest.mark.parametrize(
    ("match", "replace", "message"),
    [
        ("v(", "x", "not a regular expression"),
        ("v(.*)", r"\2", "cannot replace"),
        ("v(.*)", r"\g<n>", "cannot replace"),
        ("v(?P<n>.*)", r"\g<m>", "cannot replace"),
    ],
)
def test_bad_tag_rule_is_refused(match: str, replace: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TagRule.parse("*", match, replace)


def test_named_groups_may_be_used() -> None:
    rule = TagRule.parse("*", "v(?P<n>.*)", r"\g<n>")
    assert rule.apply("pause", Tag("v1")) == "1"
