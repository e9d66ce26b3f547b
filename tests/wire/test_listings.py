"""Tags and referrers as clients page through them (rules N-2, N-3, M-3, O-3, C-19)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from entrepot.oci.mediatype import OCI_INDEX
from fakes.images import artifact, image, index, to_json
from fakes.registry import FakeRegistry, Fault
from unit.web.serving import K8S, NS, registry_settings, serving
from wire.client import Answer

PAUSE = image(1)
SBOM = artifact(subject=PAUSE)
SIGNATURE = artifact(subject=PAUSE, artifact_type="application/vnd.example.sig")
REFERRERS = f"/v2/pause/referrers/{PAUSE.digest}"
EMPTY = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}
HASTE = {"headers": 1.0, "overtake": 0.2, "stall": 0.3, "connect": 1.0}
TAGS = ["1.0", "2.0", "10.0", "Latest", "latest", "v3"]


def tags_of(got: Answer) -> list[str]:
    assert got.status == 200
    assert got.header("Content-Type") == "application/json"
    return [str(tag) for tag in json.loads(got.body)["tags"]]


@pytest.mark.rule("N-2", "M-3", "G-5")
@pytest.mark.parametrize(
    ("query", "expected", "more"),
    [
        ("", ["1.0", "10.0", "2.0", "Latest", "latest", "v3"], False),
        ("n=1000", ["1.0", "10.0", "2.0", "Latest", "latest", "v3"], False),
        ("n=2", ["1.0", "10.0"], True),
        ("n=6", ["1.0", "10.0", "2.0", "Latest", "latest", "v3"], False),
        ("n=0", [], False),
        ("last=2.0", ["Latest", "latest", "v3"], False),
        ("last=5", ["Latest", "latest", "v3"], False),
        ("last=v3", [], False),
        ("n=1&last=10.0", ["2.0"], True),
        ("n=-1", ["1.0", "10.0", "2.0", "Latest", "latest", "v3"], False),
        ("n=many", ["1.0", "10.0", "2.0", "Latest", "latest", "v3"], False),
        ("n=99999999999999999999999999", ["1.0", "10.0", "2.0", "Latest", "latest", "v3"], False),
    ],
)
async def test_pages_of_tags(query: str, expected: list[str], more: bool, tmp_path: Path) -> None:
    async with FakeRegistry() as mirror, serving(tmp_path, mirror) as served:
        for tag in TAGS:
            mirror.put_image("pause", tag, PAUSE)
        got = await served.get(f"/v2/pause/tags/list{NS}&{query}")
        assert tags_of(got) == expected
        assert (got.header("Link") is not None) == more
        assert got.header("OCI-Namespace") == "k8s.gcr.io"


@pytest.mark.rule("M-3", "G-4")
@pytest.mark.parametrize(
    ("path", "name"),
    [
        (f"/v2/pause/tags/list{NS}&n=2", "pause"),
        ("/v2/k8s.gcr.io/pause/tags/list?n=2", "k8s.gcr.io/pause"),
        ("/k8s.gcr.io/v2/pause/tags/list?n=2", "pause"),
        ("/v2/k8s.gcr.io/v2/pause/tags/list?ns=k8s.gcr.io&n=2", "pause"),
    ],
)
async def test_following_links_brings_everything_once(path: str, name: str, tmp_path: Path) -> None:
    async with FakeRegistry() as mirror, serving(tmp_path, mirror) as served:
        for tag in TAGS:
            mirror.put_image("pause", tag, PAUSE)
        found: list[str] = []
        target: str | None = path
        while target is not None:
            got = await served.get(target)
            assert json.loads(got.body)["name"] == name
            found += tags_of(got)
            link = got.header("Link")
            target = None
            if link is not None:
                target, relation = link.removeprefix("<").split(">", 1)
                assert relation == '; rel="next"'
                assert target.startswith("/")
                assert ";" not in target
                assert ("ns=" in target) == ("ns=" in path)
        assert found == sorted(TAGS)


@pytest.mark.rule("N-2")
async def test_all_pages_of_a_mirror_are_seen(tmp_path: Path) -> None:
    async with FakeRegistry() as mirror, serving(tmp_path, mirror) as served:
        names = [f"v{number:05}" for number in range(2500)]
        for tag in names:
            mirror.put_manifest("pause", tag, PAUSE.manifest)
        assert tags_of(await served.get(f"/v2/pause/tags/list{NS}")) == names


@pytest.mark.rule("U-12")
async def test_with_no_mirror_the_tags_held_here_are_told(tmp_path: Path) -> None:
    async with FakeRegistry() as mirror, serving(tmp_path, mirror, timeouts=HASTE) as served:
        mirror.put_image("pause", "3.1", PAUSE)
        mirror.put_image("pause", "3.2", PAUSE)
        await served.get(f"/v2/pause/manifests/3.1{NS}")
        await mirror.stop()
        got = await served.get(f"/v2/pause/tags/list{NS}")
        assert tags_of(got) == ["3.1"]
        assert got.header("Warning") is not None
        assert (await served.get(f"/v2/other/tags/list{NS}")).status == 502


@pytest.mark.rule("N-3", "O-3", "C-19")
async def test_referrers_pass_through(tmp_path: Path) -> None:
    async with FakeRegistry() as mirror, serving(tmp_path, mirror) as served:
        for one in (PAUSE, SBOM, SIGNATURE):
            mirror.put_image("pause", None, one)
        got = await served.get(REFERRERS + NS)
        assert (got.status, got.header("Content-Type")) == (200, OCI_INDEX)
        found = {one["digest"] for one in json.loads(got.body)["manifests"]}
        assert found == {str(SBOM.digest), str(SIGNATURE.digest)}
        assert got.header("OCI-Filters-Applied") is None
        assert got.header("OCI-Namespace") == "k8s.gcr.io"


@pytest.mark.rule("N-2", "C-19")
async def test_referrers_of_one_type(tmp_path: Path) -> None:
    async with FakeRegistry() as mirror, serving(tmp_path, mirror) as served:
        for one in (PAUSE, SBOM, SIGNATURE):
            mirror.put_image("pause", None, one)
        got = await served.get(f"{REFERRERS}{NS}&artifactType=application/vnd.example.sig")
        assert got.header("OCI-Filters-Applied") == "artifactType"
        (one,) = json.loads(got.body)["manifests"]
        assert one["digest"] == str(SIGNATURE.digest)


@pytest.mark.rule("N-2", "N-3")
async def test_all_pages_of_referrers_are_told(tmp_path: Path) -> None:
    """A signature on the second page is a signature."""
    many = [artifact(subject=PAUSE, payload=str(number).encode()) for number in range(5)]
    async with FakeRegistry(referrers_per_page=2) as mirror, serving(tmp_path, mirror) as served:
        for one in (PAUSE, *many):
            mirror.put_image("pause", None, one)
        got = await served.get(REFERRERS + NS)
        found = [one["digest"] for one in json.loads(got.body)["manifests"]]
        assert found == [str(one.digest) for one in many]
        assert len(mirror.asked("/referrers/")) == 3


@pytest.mark.rule("N-3", "O-3", "N-9")
@pytest.mark.parametrize("api", [True, False], ids=["referrers API", "no referrers API"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_nothing_refers_to_it(method: str, api: bool, tmp_path: Path) -> None:
    async with FakeRegistry(referrers=api) as mirror, serving(tmp_path, mirror) as served:
        mirror.put_image("pause", "3.1", PAUSE)
        got = await served.ask(method, REFERRERS + NS)
        assert (got.status, got.header("Content-Type")) == (200, OCI_INDEX)
        if method == "GET":
            assert json.loads(got.body) == EMPTY


@pytest.mark.rule("N-3", "C-19")
async def test_the_tag_that_stands_for_referrers_is_asked(tmp_path: Path) -> None:
    both = index([SBOM, SIGNATURE], flavour="oci")
    async with FakeRegistry(referrers=False) as mirror, serving(tmp_path, mirror) as served:
        mirror.put_image("pause", f"sha256-{PAUSE.digest.hex}", both)
        got = await served.get(REFERRERS + NS)
        assert (got.status, got.body) == (200, both.manifest)


@pytest.mark.rule("N-3")
@pytest.mark.parametrize("status", [400, 405])
async def test_a_registry_too_old_for_referrers(status: int, tmp_path: Path) -> None:
    async with FakeRegistry() as mirror, serving(tmp_path, mirror) as served:
        mirror.put_image("pause", "3.1", PAUSE)
        mirror.fault(Fault("status", status=status, path="/referrers/", times=None))
        got = await served.get(REFERRERS + NS)
        assert (got.status, json.loads(got.body)) == (200, EMPTY)


@pytest.mark.rule("N-3", "E-2")
@pytest.mark.parametrize("trouble", ["silent", "refuse", "status"])
async def test_referrers_nobody_confirmed_are_not_an_empty_list(
    trouble: str, tmp_path: Path
) -> None:
    """An empty list would say: this image is not signed."""
    async with FakeRegistry() as mirror, serving(tmp_path, mirror, timeouts=HASTE) as served:
        mirror.put_image("pause", "3.1", PAUSE)
        mirror.fault(
            Fault("silent", times=None)
            if trouble == "silent"
            else Fault("refuse", times=None)
            if trouble == "refuse"
            else Fault("status", status=500, times=None)
        )
        got = await served.get(REFERRERS + NS)
        assert got.status == (504 if trouble == "silent" else 502)


@pytest.mark.rule("N-3", "E-2")
async def test_a_denied_referrers_question_is_not_an_empty_list_either(tmp_path: Path) -> None:
    async with FakeRegistry() as mirror, serving(tmp_path, mirror, timeouts=HASTE) as served:
        mirror.put_image("pause", "3.1", PAUSE)
        mirror.fault(Fault("status", status=403, path="/referrers/", times=None))
        got = await served.get(REFERRERS + NS)
        assert got.status == 502


async def test_a_mirror_that_forbids_to_list_its_tags_has_none(tmp_path: Path) -> None:
    async with FakeRegistry() as mirror, serving(tmp_path, mirror) as served:
        mirror.put_image("pause", "3.1", PAUSE)
        mirror.fault(Fault("status", status=403, path="/tags/", times=None))
        got = await served.get(f"/v2/pause/tags/list{NS}")
        assert (got.status, json.loads(got.body)["errors"][0]["code"]) == (404, "NAME_UNKNOWN")


@pytest.mark.rule("N-3", "C-19")
async def test_a_page_of_html_is_no_list_of_referrers(tmp_path: Path) -> None:
    async with FakeRegistry() as mirror, serving(tmp_path, mirror, timeouts=HASTE) as served:
        mirror.put_image("pause", "3.1", PAUSE)
        mirror.fault(Fault("html", path="/referrers/", times=None))
        got = await served.get(f"{REFERRERS}{NS}&artifactType=a/b")
        assert got.status == 502


@pytest.mark.rule("N-2")
async def test_referrers_of_no_digest(tmp_path: Path) -> None:
    async with FakeRegistry() as mirror, serving(tmp_path, mirror) as served:
        assert (await served.get(f"/v2/pause/referrers/3.1{NS}")).status == 400
        assert mirror.requests == []


@pytest.mark.rule("N-3", "N-2")
@pytest.mark.parametrize("entries", [[], ["text"], [None], [{"artifactType": 1}]])
async def test_odd_entries_do_not_break_the_filter(entries: list[object], tmp_path: Path) -> None:
    body = to_json({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries})
    async with FakeRegistry() as mirror, serving(tmp_path, mirror) as served:
        mirror.fault(
            Fault("status", status=200, body=body, headers={"Content-Type": OCI_INDEX}, times=None)
        )
        got = await served.get(f"{REFERRERS}{NS}&artifactType=a/b")
        assert (got.status, json.loads(got.body)["manifests"]) == (200, [])


@pytest.mark.rule("N-3", "E-1")
async def test_the_second_mirror_may_know_what_the_first_does_not(tmp_path: Path) -> None:
    async with FakeRegistry(referrers=False) as first, FakeRegistry() as second:
        for one in (PAUSE, SBOM):
            first.put_image("pause", None, one)
            second.put_image("pause", None, one)
        registries = {K8S: registry_settings(first, second, aliases=["k8s.gcr.io"])}
        async with serving(tmp_path, registries=registries) as served:
            got = await served.get(REFERRERS + NS)
            (one,) = json.loads(got.body)["manifests"]
            assert one["digest"] == str(SBOM.digest)
