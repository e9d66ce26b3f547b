"""Every way in which clients write a request line, and the ways that are refused."""

import json
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from entrepot.errors import DigestInvalid, NameInvalid, NameUnknown, RequestError, TagInvalid
from entrepot.mirror.names import (
    BlobTarget,
    CatalogTarget,
    ImageName,
    ManifestTarget,
    NameTable,
    Ping,
    ReferrersTarget,
    TagsTarget,
    Target,
    UploadTarget,
    parse_target,
)
from entrepot.oci.digest import Digest
from entrepot.oci.reference import RepositoryName, Tag

DATA = Path(__file__).parents[2] / "data"
RECORDED = DATA / "client-requests.jsonl"
LINES: dict[str, dict[str, dict[str, str]]] = yaml.safe_load(
    (DATA / "first-requests.yaml").read_text()
)
TABLE = NameTable(
    {
        "registry.k8s.io": ("k8s.gcr.io",),
        "docker.io": (),
        "quay.io": (),
        "localhost:5001": (),
        "myreg.example:5000": (),
    },
    {"hub.lan": "docker.io", "old.lan": "k8s.gcr.io"},
)
DIGEST = Digest.of(b"hello")


def parse(
    path: str, ns: str | None = None, host: str | None = "m:5000", default: str | None = None
) -> Target:
    return parse_target(path, ns, host, default, TABLE)


def image_of(target: Target) -> ImageName:
    assert not isinstance(target, Ping | CatalogTarget)
    return target.image


@pytest.mark.rule("S-1", "S-2", "S-4", "S-5", "B-1", "P-1", "K-1", "K-2", "O-4", "C-1", "U-8")
@pytest.mark.parametrize("line", LINES["pause"].values(), ids=LINES["pause"].keys())
def test_each_client_setting_reaches_pause(line: dict[str, str]) -> None:
    path, ns = line["path"], line.get("ns")
    target = parse(path, ns, default=line.get("default"))
    assert isinstance(target, ManifestTarget)
    assert target.reference == Tag("3.1")
    image = target.image
    assert (image.registry, image.repository) == ("registry.k8s.io", "pause")
    assert image.namespace == "k8s.gcr.io"
    assert image.via_ns is (ns is not None)
    assert path == f"{image.path_prefix}{image.client_repository}/manifests/3.1"


@pytest.mark.rule("S-1", "S-7", "D-1", "D-2", "D-6")
@pytest.mark.parametrize("line", LINES["busybox"].values(), ids=LINES["busybox"].keys())
def test_docker_hub_images_may_leave_out_library(line: dict[str, str]) -> None:
    image = image_of(parse(line["path"], line.get("ns"), default=line.get("default")))
    assert (image.registry, image.repository) == ("docker.io", "library/busybox")


@pytest.mark.rule("S-7")
def test_library_is_for_docker_hub_alone() -> None:
    assert image_of(parse("/v2/busybox/manifests/1", "quay.io")).repository == "busybox"
    assert image_of(parse("/v2/a/b/manifests/1", "docker.io")).repository == "a/b"


def recorded() -> list[tuple[str, str, str]]:
    lines = (json.loads(line) for line in RECORDED.read_text().splitlines())
    return sorted({(line["client"], line["method"], line["target"]) for line in lines})


@pytest.mark.rule("S-1", "S-3", "C-18", "G-5")
def test_every_recorded_request_of_real_clients_is_understood() -> None:
    seen: dict[type, int] = {}
    for client, _, target in recorded():
        url = urlsplit(target)
        ns = parse_qs(url.query).get("ns", [None])[0]
        default = "docker.io" if client.startswith("dockerd") else "k8s.gcr.io"
        parsed = parse(url.path, ns, "127.0.0.1:5000", default)
        seen[type(parsed)] = seen.get(type(parsed), 0) + 1
        if not isinstance(parsed, Ping):
            image = image_of(parsed)
            assert image.repository.split("/")[-1] in ("pause", "medium"), (client, target)
            direct = client.startswith("dockerd") and "registry-mirrors" in client
            assert image.registry == ("docker.io" if direct else "registry.k8s.io")
    assert set(seen) == {Ping, ManifestTarget, BlobTarget, TagsTarget}


@pytest.mark.rule("S-8", "K-2", "D-2", "P-2")
@pytest.mark.parametrize("line", LINES["ping"].values(), ids=LINES["ping"].keys())
def test_pings_need_no_registry(line: dict[str, str]) -> None:
    assert parse(line["path"], line.get("ns")) == Ping()


@pytest.mark.rule("S-6", "S-8")
@pytest.mark.parametrize(
    ("path", "ns"),
    [("/", None), ("//", None), ("/v2//", None), ("/evil.example/v2/", None), ("/v2/", "evil")],
)
def test_what_only_looks_like_a_ping_is_refused(path: str, ns: str | None) -> None:
    with pytest.raises(NameUnknown):
        parse(path, ns)


@pytest.mark.rule("S-2", "M-1")
@pytest.mark.parametrize(
    ("ns", "registry"),
    [
        ("K8S.GCR.IO", "registry.k8s.io"),
        ("localhost:5001", "localhost:5001"),
        ("MyReg.example:5000", "myreg.example:5000"),
    ],
)
def test_ns_is_a_key_in_any_case_with_its_port(ns: str, registry: str) -> None:
    image = image_of(parse("/v2/x/manifests/1", ns))
    assert (image.registry, image.namespace, image.via_ns) == (registry, ns.lower(), True)


@pytest.mark.rule("S-6", "P26")
@pytest.mark.parametrize(
    "ns",
    ["", " ", "evil.example", "k8s.gcr.io.", "k8s.gcr.io:443", "myreg.example", "docker.io/x", "é"],
)
def test_an_unknown_ns_never_falls_through(ns: str) -> None:
    with pytest.raises(NameUnknown, match=r"not served here.*docker\.io"):
        parse("/v2/k8s.gcr.io/pause/manifests/3.1", ns, "hub.lan", "docker.io")


@pytest.mark.rule("S-4")
def test_ns_then_prefix_then_host_then_default() -> None:
    def registry(path: str, ns: str | None, host: str | None) -> str:
        return image_of(parse(path, ns, host, "localhost:5001")).registry

    prefixed, plain = "/v2/quay.io/a/manifests/1", "/v2/a/manifests/1"
    assert registry(prefixed, "k8s.gcr.io", "hub.lan") == "registry.k8s.io"
    assert registry(prefixed, None, "hub.lan") == "quay.io"
    assert registry(plain, None, "hub.lan") == "docker.io"
    assert registry(plain, None, "m:5000") == "localhost:5001"
    assert registry(plain, None, None) == "localhost:5001"


@pytest.mark.rule("S-4")
def test_another_registry_in_the_path_is_part_of_the_repository_when_ns_is_given() -> None:
    image = image_of(parse("/v2/quay.io/a/manifests/1", "k8s.gcr.io"))
    assert image.repository == "quay.io/a"


@pytest.mark.rule("S-4")
def test_a_prefix_that_agrees_with_ns_is_stripped_once() -> None:
    image = image_of(parse("/v2/quay.io/quay.io/a/manifests/1", "quay.io"))
    assert image.repository == "quay.io/a"


@pytest.mark.rule("S-5", "C-1")
@pytest.mark.parametrize("host", ["hub.lan", "HUB.LAN:5000", "hub.lan:"])
def test_the_host_header_chooses_whatever_its_port(host: str) -> None:
    image = image_of(parse("/v2/a/manifests/1", None, host))
    assert (image.registry, image.namespace, image.via_ns) == ("docker.io", "docker.io", False)


@pytest.mark.rule("S-5")
@pytest.mark.parametrize("host", [None, "", "m", "10.0.0.5:5000", "[::1]", "[::1]:5000", ":"])
def test_nothing_is_guessed(host: str | None) -> None:
    with pytest.raises(NameUnknown, match="does not say which registry 'pause' belongs to"):
        parse("/v2/pause/manifests/3.1", None, host)


def test_an_ipv6_host_may_stand_for_a_registry() -> None:
    table = NameTable({"quay.io": ()}, {"[::1]": "quay.io"})
    for host in ("[::1]", "[::1]:5000"):
        target = parse_target("/v2/a/manifests/1", None, host, None, table)
        assert image_of(target).registry == "quay.io"


@pytest.mark.rule("S-6", "P26")
@pytest.mark.parametrize(
    "path",
    [
        "/v2/evil.example/x/manifests/1",
        "/evil.example/v2/x/manifests/1",
        "/evil.example/x/manifests/1",
        "/v2/10.0.0.1:80/x/manifests/1",
    ],
)
def test_an_unknown_host_in_the_path_is_not_a_repository_of_the_default(path: str) -> None:
    with pytest.raises(NameUnknown, match=r"not served here.*registry\.k8s\.io \(also as k8s"):
        parse(path, default="docker.io")


def test_a_dot_in_the_only_part_is_no_host() -> None:
    assert image_of(parse("/v2/my.app/manifests/1", default="quay.io")).repository == "my.app"


@pytest.mark.rule("S-9")
@pytest.mark.parametrize(
    ("path", "repository"),
    [
        ("/v2/manifests/blobs/manifests/1", "manifests/blobs"),
        ("/v2/a/manifests/b/manifests/1", "a/manifests/b"),
        ("/v2/a/tags/list/manifests/1", "a/tags/list"),
        ("/v2/a/blobs/uploads/manifests/1", "a/blobs/uploads"),
        ("/v2/quay.io/v2/manifests/1", "v2"),
        ("/quay.io/v2/v2/x/manifests/1", "v2/x"),
    ],
)
def test_the_last_object_word_counts(path: str, repository: str) -> None:
    target = parse(path, "quay.io")
    assert isinstance(target, ManifestTarget)
    assert target.image.repository == repository


@pytest.mark.rule("S-9")
@pytest.mark.parametrize("colon", [":", "%3A", "%3a"])
def test_the_colon_of_a_digest_may_be_encoded(colon: str) -> None:
    text = f"sha256{colon}{DIGEST.hex}"
    image = image_of(parse("/v2/a/manifests/1", "quay.io"))
    assert parse(f"/v2/a/manifests/{text}", "quay.io") == ManifestTarget(image, DIGEST)
    assert parse(f"/v2/a/blobs/{text}", "quay.io") == BlobTarget(image, DIGEST)
    assert parse(f"/v2/a/referrers/{text}", "quay.io") == ReferrersTarget(image, DIGEST)


@pytest.mark.rule("S-9", "N-2", "N-9", "F-8")
@pytest.mark.parametrize("kind", ["manifests", "blobs", "referrers"])
@pytest.mark.parametrize("text", ["sha256:baddigeststring", "sha384:00", f"md5%3A{'0' * 32}"])
def test_bad_digests_are_refused(kind: str, text: str) -> None:
    with pytest.raises(DigestInvalid):
        parse(f"/v2/a/{kind}/{text}", "quay.io")


def test_blobs_and_referrers_have_no_tags() -> None:
    for kind in ("blobs", "referrers"):
        with pytest.raises(DigestInvalid):
            parse(f"/v2/a/{kind}/latest", "quay.io")


@pytest.mark.rule("S-9")
@pytest.mark.parametrize("tag", ["", "..", ".", "a%2Fb", "a%00", "%2e%2e", "a\\b", "a" * 129])
def test_bad_tags_are_refused(tag: str) -> None:
    with pytest.raises(TagInvalid):
        parse(f"/v2/a/manifests/{tag}", "quay.io")


@pytest.mark.rule("S-9")
@pytest.mark.parametrize(
    "name",
    [
        *(
            "..",
            ".",
            "a/..",
            "a//b",
            "a/",
            "/a",
            "a%2Fb",
            "%2e%2e",
            "a%5Cb",
            "a\\b",
            "a%00",
            "a\nb",
        ),
        *("Upper", "a b", "a:b", "é", "%C3%A9", "a/./b", "a" * 256),
    ],
)
def test_bad_names_are_refused(name: str) -> None:
    for path in (f"/v2/{name}/manifests/1", f"/v2/quay.io/{name}/manifests/1"):
        with pytest.raises(NameInvalid):
            parse(path, "quay.io")


@pytest.mark.rule("S-9")
@pytest.mark.parametrize(
    "path",
    [
        "/v2/manifests/3.1",
        "/v2/quay.io/manifests/3.1",
        "/v2/blobs/uploads/",
        "",
        "*",
        "v2/",
        "http:",
    ],
)
def test_paths_without_a_repository_are_refused(path: str) -> None:
    with pytest.raises(NameInvalid):
        parse(path, default="quay.io")


@pytest.mark.rule("S-1")
@pytest.mark.parametrize(
    "path", ["/favicon.ico", "/v2/a", "/v2/a/tags", "/v2/a/tags/list/", "/v2/a/b/c"]
)
def test_other_paths_are_unknown(path: str) -> None:
    with pytest.raises(NameUnknown, match="no such page"):
        parse(path, default="quay.io")


@pytest.mark.rule("M-4")
@pytest.mark.parametrize("path", ["/v2/_catalog", "/v2/quay.io/_catalog", "/quay.io/v2/_catalog"])
def test_the_catalog_is_recognised(path: str) -> None:
    assert parse(path) == CatalogTarget()


@pytest.mark.rule("N-4")
@pytest.mark.parametrize("tail", ["", "/", "/2f1c", "/2f1c-._~%20"])
def test_uploads_are_recognised(tail: str) -> None:
    target = parse(f"/v2/a/blobs/uploads{tail}", "quay.io")
    assert isinstance(target, UploadTarget)
    assert target.image.repository == "a"


@pytest.mark.rule("M-3")
@pytest.mark.parametrize(
    ("front", "name", "ns"),
    [
        ("/v2/", "pause", "k8s.gcr.io"),
        ("/v2/", "k8s.gcr.io/pause", None),
        ("/v2/k8s.gcr.io/", "pause", "k8s.gcr.io"),
        ("/v2/k8s.gcr.io/v2/", "pause", "k8s.gcr.io"),
        ("/v2/K8S.gcr.io/v2/", "pause", None),
        ("/k8s.gcr.io/v2/", "pause", None),
        ("/k8s.gcr.io/", "pause", "k8s.gcr.io"),
        ("/", "pause", "k8s.gcr.io"),
    ],
)
def test_links_can_lead_back_the_same_way(front: str, name: str, ns: str | None) -> None:
    target = parse(f"{front}{name}/tags/list", ns)
    assert isinstance(target, TagsTarget)
    assert (target.image.path_prefix, target.image.client_repository) == (front, name)
    assert (target.image.registry, target.image.namespace) == ("registry.k8s.io", "k8s.gcr.io")


@pytest.mark.rule("S-6", "U-8", "P26")
def test_the_table_is_closed_and_knows_aliases() -> None:
    assert TABLE.canonical("K8s.GCR.io") == "registry.k8s.io"
    assert TABLE.canonical("registry.k8s.io") == "registry.k8s.io"
    assert TABLE.canonical("index.docker.io") == "docker.io"
    assert TABLE.canonical("gcr.io") is None
    assert NameTable({"quay.io": ()}).canonical("index.docker.io") is None


def test_a_host_for_an_unknown_registry_is_a_mistake() -> None:
    with pytest.raises(ValueError, match=r"gcr\.io"):
        NameTable({"quay.io": ()}, {"gcr.lan": "gcr.io"})


def test_a_default_that_is_not_served_is_refused_like_any_other_name() -> None:
    with pytest.raises(NameUnknown, match="not served here"):
        parse("/v2/a/manifests/1", default="gcr.io")


def test_long_names_are_cut_in_messages() -> None:
    with pytest.raises(NameUnknown) as caught:
        parse("/v2/a/manifests/1", "x" * 5000)
    assert len(str(caught.value)) < 500


PARTS = st.sampled_from(
    [
        *("v2", "k8s.gcr.io", "docker.io", "quay.io", "evil.example", "a", "", "..", "A", "3.1"),
        *("manifests", "blobs", "referrers", "tags", "list", "uploads", "_catalog", "%2F"),
        f"sha256:{'0' * 64}",
    ]
)
PATHS = st.text() | st.lists(PARTS, max_size=8).map(lambda parts: "/" + "/".join(parts))
NAMES = st.none() | st.text() | st.sampled_from(["k8s.gcr.io", "docker.io", "evil.example"])


@pytest.mark.rule("S-6", "S-9", "P26")
@given(PATHS, NAMES, st.none() | st.text() | st.just("hub.lan"), NAMES)
def test_any_request_is_a_target_in_the_table_or_refused(
    path: str, ns: str | None, host: str | None, default: str | None
) -> None:
    try:
        target = parse(path, ns, host, default)
    except RequestError:
        return
    if isinstance(target, Ping | CatalogTarget):
        return
    image = target.image
    assert image.registry == TABLE.canonical(image.namespace) == TABLE.canonical(image.registry)
    assert path.startswith(f"{image.path_prefix}{image.client_repository}/")
    assert RepositoryName.parse(image.repository) == image.repository
