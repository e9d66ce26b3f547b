"""One range at a time, and never a wrong byte (rules T-5 to T-8, P-4, L-1 to L-7)."""

from __future__ import annotations

from pathlib import Path

import pytest

from fakes.images import blob, image
from fakes.registry import FakeRegistry
from unit.web.serving import NS, serving

SIZE = 5000
DATA = blob(SIZE)
PARTS = {
    "bytes=0-1": (0, 2),
    "bytes=0-0": (0, 1),
    "bytes=0-": (0, SIZE),
    "bytes=500-1499": (500, 1500),
    "bytes=500-": (500, SIZE),
    "bytes=-500": (SIZE - 500, SIZE),
    "bytes=-9999": (0, SIZE),
    "bytes=2000-9999": (2000, SIZE),
    "bytes=4999-": (4999, SIZE),
    "bytes=0-99999999999999999999999": (0, SIZE),
    "BYTES=0-1": (0, 2),
}
NOT_SATISFIABLE = ["bytes=5000-10000", "bytes=5000-", "bytes=-0", f"bytes={10**30}-"]
SEVERAL = ["bytes=0-1,4-5", "bytes=0-1, 4-5, 9-", "bytes=0-1,-5"]
IGNORED = ["lines=0-1", "bytes", "bytes=", "bytes=a-b", "bytes=5-2", "bytes=-", "0-1"]


@pytest.mark.rule("T-5", "T-6", "L-1", "L-4", "L-5", "L-6", "L-7", "N-9")
@pytest.mark.parametrize("state", ["cold", "warm"])
@pytest.mark.parametrize("span", PARTS)
async def test_one_range(span: str, state: str, tmp_path: Path) -> None:
    async with FakeRegistry() as mirror, serving(tmp_path, mirror) as served:
        target = f"/v2/pause/blobs/{mirror.put_blob('pause', DATA)}{NS}"
        if state == "warm":
            await served.get(target)
        start, stop = PARTS[span]
        got = await served.get(target, ("Range", span))
        assert (got.status, got.body) == (206, DATA[start:stop])
        assert got.header("Content-Range") == f"bytes {start}-{stop - 1}/{SIZE}"


@pytest.mark.rule("T-8", "N-9")
@pytest.mark.parametrize("span", NOT_SATISFIABLE)
async def test_a_range_past_the_end(span: str, tmp_path: Path) -> None:
    async with FakeRegistry() as mirror, serving(tmp_path, mirror) as served:
        target = f"/v2/pause/blobs/{mirror.put_blob('pause', DATA)}{NS}"
        got = await served.get(target, ("Range", span))
        assert (got.status, got.header("Content-Range")) == (416, f"bytes */{SIZE}")


@pytest.mark.rule("P-4", "L-2", "L-7", "X-5")
@pytest.mark.parametrize("span", SEVERAL)
async def test_several_ranges_are_400_so_that_lazy_pullers_ask_one_by_one(
    span: str, tmp_path: Path
) -> None:
    async with FakeRegistry() as mirror, serving(tmp_path, mirror) as served:
        target = f"/v2/pause/blobs/{mirror.put_blob('pause', DATA)}{NS}"
        for _ in range(2):
            assert (await served.get(target, ("Range", span))).status == 400


@pytest.mark.rule("L-7")
@pytest.mark.parametrize("span", IGNORED)
async def test_what_is_no_range_of_bytes_is_ignored(span: str, tmp_path: Path) -> None:
    async with FakeRegistry() as mirror, serving(tmp_path, mirror) as served:
        target = f"/v2/pause/blobs/{mirror.put_blob('pause', DATA)}{NS}"
        got = await served.get(target, ("Range", span))
        assert (got.status, got.body, got.header("Content-Range")) == (200, DATA, None)


@pytest.mark.rule("P-4", "L-7")
async def test_ranges_on_two_lines_are_several(tmp_path: Path) -> None:
    """Answering the first alone would look like the answer to both."""
    async with FakeRegistry() as mirror, serving(tmp_path, mirror) as served:
        target = f"/v2/pause/blobs/{mirror.put_blob('pause', DATA)}{NS}"
        got = await served.get(target, ("Range", "bytes=0-1"), ("Range", "bytes=4-5"))
        assert got.status in {200, 400}


@pytest.mark.rule("T-7")
async def test_a_range_of_a_manifest_is_never_416(tmp_path: Path) -> None:
    async with FakeRegistry() as mirror, serving(tmp_path, mirror) as served:
        pause = image(1)
        mirror.put_image("pause", "3.1", pause)
        for span in ("bytes=0-", "bytes=100000-", "bytes=0-1,3-4"):
            got = await served.get(f"/v2/pause/manifests/3.1{NS}", ("Range", span))
            assert (got.status, got.body) == (200, pause.manifest)


@pytest.mark.rule("T-5", "L-8")
async def test_head_ignores_a_range(tmp_path: Path) -> None:
    async with FakeRegistry() as mirror, serving(tmp_path, mirror) as served:
        target = f"/v2/pause/blobs/{mirror.put_blob('pause', DATA)}{NS}"
        got = await served.ask("HEAD", target, ("Range", "bytes=0-1"))
        assert (got.status, got.length) == (200, SIZE)


@pytest.mark.rule("T-6")
@pytest.mark.parametrize("header", ["If-None-Match", "If-Match", "If-Range", "If-Modified-Since"])
async def test_conditions_never_turn_an_answer_into_a_304(header: str, tmp_path: Path) -> None:
    """containerd takes 304 for a failure (E-table); a range it asked for must stay one."""
    async with FakeRegistry() as mirror, serving(tmp_path, mirror) as served:
        digest = mirror.put_blob("pause", DATA)
        value = "Mon, 01 Jan 2035 00:00:00 GMT" if "Since" in header else f'"{digest}"'
        target = f"/v2/pause/blobs/{digest}{NS}"
        got = await served.get(target, (header, value), ("Range", "bytes=0-9"))
        assert (got.status, got.body) == (206, DATA[:10])
