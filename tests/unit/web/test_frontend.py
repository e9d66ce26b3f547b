"""The handler of a listener: what it counts and says of each kind of request."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path

import pytest
import structlog

from fakes.images import image
from fakes.registry import FakeRegistry, Fault
from unit.web.serving import K8S, NS, serving

PAUSE = image(1)
MANIFEST = f"/v2/pause/manifests/3.1{NS}"


def total(samples: dict[str, float], *, kind: str, result: str, status: int) -> float:
    registry = K8S if kind not in {"ping", "other"} else ""
    labels = f'kind="{kind}",registry="{registry}",result="{result}",status="{status}"'
    return samples[f"entrepot_requests_total{{{labels}}}"]


async def test_what_is_counted(tmp_path: Path) -> None:
    async with FakeRegistry() as mirror, serving(tmp_path, mirror) as served:
        mirror.put_image("pause", "3.1", PAUSE)
        digest = mirror.put_blob("pause", PAUSE.layers[0])
        for target in (MANIFEST, MANIFEST, f"/v2/pause/blobs/{digest}{NS}"):
            await served.get(target)
        await served.until_filled()
        for target in (f"/v2/pause/blobs/{digest}{NS}", "/v2/", f"/v2/pause/tags/list{NS}"):
            await served.get(target)
        await served.get(f"/v2/pause/manifests/absent{NS}")
        samples = await served.metrics()
    assert total(samples, kind="manifest", result="miss", status=200) == 1
    assert total(samples, kind="manifest", result="hit", status=200) == 1
    assert total(samples, kind="manifest", result="error", status=404) == 1
    assert total(samples, kind="blob", result="fill", status=200) == 1
    assert total(samples, kind="blob", result="hit", status=200) == 1
    assert total(samples, kind="tags", result="miss", status=200) == 1
    assert total(samples, kind="ping", result="hit", status=200) == 1
    layer = len(PAUSE.layers[0])
    assert (
        samples[f'entrepot_mirror_bytes_total{{mirror="{mirror.host}",registry="{K8S}"}}'] == layer
    )


async def test_every_request_is_one_line(tmp_path: Path) -> None:
    async with FakeRegistry() as mirror, serving(tmp_path, mirror) as served:
        mirror.put_image("pause", "3.1", PAUSE)
        with structlog.testing.capture_logs() as logged:
            await served.ask("HEAD", MANIFEST)
            await served.get("/nothing")
            await served.ask("DELETE", MANIFEST)
        lines = [line for line in logged if line["event"] == "request"]
        assert [line["status"] for line in lines] == [200, 404, 405]
        assert (lines[0]["mirror"], lines[0]["bytes"]) == (mirror.host, 0)
        assert lines[0]["reference"] == "3.1"
        assert lines[1]["reason"].startswith("no such page")


async def test_a_mistake_of_ours_is_a_500_and_is_logged(tmp_path: Path) -> None:
    """Registries taken away under the running server stand for the bug nobody thought of."""
    async with FakeRegistry() as mirror, serving(tmp_path, mirror) as served:
        mirror.put_image("pause", "3.1", PAUSE)
        served.server.services.manifests.registries.clear()
        with structlog.testing.capture_logs() as logged:
            got = await served.get(MANIFEST)
        (error,) = json.loads(got.body)["errors"]
        assert (got.status, error["code"]) == (500, "UNKNOWN")
        assert "request.died" in {line["event"] for line in logged}


@pytest.mark.rule("P30")
async def test_a_cache_that_cannot_be_written_costs_no_pull(tmp_path: Path) -> None:
    async with FakeRegistry() as mirror, serving(tmp_path, mirror) as served:
        mirror.put_image("pause", "3.1", PAUSE)
        blobs = tmp_path / "cache" / "blobs"
        shutil.rmtree(blobs)
        blobs.write_bytes(b"no directory any more")
        got = await served.get(MANIFEST)
        assert (got.status, got.body) == (200, PAUSE.manifest)
        digest = mirror.put_blob("pause", PAUSE.layers[0])
        blob = await served.get(f"/v2/pause/blobs/{digest}{NS}")
        assert (blob.status, blob.body) == (200, PAUSE.layers[0])


@pytest.mark.rule("M-3", "S-2")
async def test_links_keep_an_escaped_namespace(tmp_path: Path) -> None:
    async with FakeRegistry() as mirror:
        registries = {"reg.example:5000": {"mirrors": [mirror.url]}}
        async with serving(tmp_path, registries=registries) as served:
            for tag in ("a", "b"):
                mirror.put_image("pause", tag, PAUSE)
            got = await served.get("/v2/pause/tags/list?ns=reg.example%3A5000&n=1")
            link = "</v2/pause/tags/list?n=1&last=a&ns=reg.example%3A5000>"
            assert got.header("Link") == f'{link}; rel="next"'


@pytest.mark.rule("T-1")
async def test_the_deadline_is_the_configured_one(tmp_path: Path) -> None:
    timeouts = {"headers": 0.3, "overtake": 0.1}
    async with (
        FakeRegistry(accept_silently=True) as mirror,
        serving(tmp_path, mirror, timeouts=timeouts) as served,
    ):
        loop = asyncio.get_running_loop()
        began = loop.time()
        got = await served.get(MANIFEST)
        # Not the mirror's own time, which begins when the busy disk has told what is held.
        assert 0.29 <= loop.time() - began < 5.0
        (error,) = json.loads(got.body)["errors"]
        assert got.status == 504
        assert error["detail"][0]["ms"] > 0


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("target", ["/", "/?x=1"])
async def test_a_person_who_looks_is_told_what_this_is(
    method: str, target: str, tmp_path: Path
) -> None:
    async with serving(tmp_path, "http://127.0.0.1:9") as served:
        got = await served.ask(method, target, ("Host", "mirror.lan:5000"))
        assert (got.status, got.header("Content-Type")) == (200, "text/plain; charset=utf-8")
        if method == "GET":
            assert b'[host."http://mirror.lan:5000"]' in got.body


async def test_http_1_0_without_a_host(tmp_path: Path) -> None:
    async with FakeRegistry() as mirror, serving(tmp_path, mirror) as served:
        mirror.put_image("pause", "3.1", PAUSE)
        assert (await served.get(MANIFEST, ("Host", ""))).status == 200
        assert (await served.get("/", ("Host", ""))).status == 200


async def test_an_answer_that_cannot_be_read_is_told_as_the_mirrors_fault(tmp_path: Path) -> None:
    async with FakeRegistry() as mirror, serving(tmp_path, mirror) as served:
        mirror.fault(Fault("status", status=200, body=b"[]", times=None))
        got = await served.get(MANIFEST)
        (error,) = json.loads(got.body)["errors"]
        assert (got.status, error["detail"][0]["outcome"]) == (502, "wrong answer")


@pytest.mark.rule("N-3", "E-2")
async def test_no_word_of_referrers_is_never_a_404_not_even_for_old_containerd(
    tmp_path: Path,
) -> None:
    compatibility = {"not_found_instead_of_5xx": True}
    async with (
        FakeRegistry() as mirror,
        serving(tmp_path, mirror, compatibility=compatibility) as served,
    ):
        mirror.fault(Fault("status", status=503, times=None))
        assert (await served.get(f"/v2/pause/referrers/{PAUSE.digest}{NS}")).status == 502
        assert (await served.get(MANIFEST)).status == 404


@pytest.mark.rule("N-2")
async def test_a_page_of_more_than_a_number_can_say_is_a_large_page(tmp_path: Path) -> None:
    async with FakeRegistry() as mirror, serving(tmp_path, mirror) as served:
        mirror.put_image("pause", "3.1", PAUSE)
        got = await served.get(f"/v2/pause/tags/list{NS}&n={'9' * 5000}")
        assert (got.status, json.loads(got.body)["tags"]) == (200, ["3.1"])
