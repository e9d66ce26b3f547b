"""What is put into a page is escaped."""

from __future__ import annotations

import asyncio

from entrepot.web.status.templates import environment, plots, share

EVIL = "<script>alert(1)</script>"


async def test_names_that_mirrors_and_clients_choose_are_text() -> None:
    templates = await asyncio.to_thread(environment)
    mirror = {
        "name": EVIL,
        "registry": EVIL,
        "state": "closed",
        "ready_in": 0.0,
        "latency": 0.1,
        "throughput": None,
        "bytes": 0,
        "last_error": EVIL,
        "last_error_at": None,
    }
    text = templates.get_template("mirrors.html").render(
        now={"mirrors": [mirror], "offline": False}
    )
    assert EVIL not in text
    assert text.count("&lt;script&gt;") == 3


async def test_what_a_ledger_and_a_job_tell_is_text() -> None:
    templates = await asyncio.to_thread(environment)
    digest = "sha256:" + 64 * "a"
    record = {"at": None, "mirror": EVIL, "received": digest, "verdict": "refused"}
    record |= {"digest": None, "level": None, "note": EVIL}
    why = {
        "level": "pin",
        "vouched_by": EVIL,
        "policy": EVIL,
        "digest": digest,
        "said_by": EVIL,
        "checked_at": None,
        "manifest_from": EVIL,
        "given": [{"mirrors": EVIL, "blobs": 1, "bytes": 1}],
        "demoted": [{"mirror": EVIL, "until": EVIL}],
        "refused": [EVIL, EVIL],
        "pin": {"digests": [EVIL], "where": EVIL, "source": EVIL, "date": EVIL},
        "other_names": [EVIL],
        "records": [record, record],
    }
    text = templates.get_template("why.html").render(why=why, session=True, records=1)
    assert (EVIL in text, text.count("&lt;script&gt;")) == (False, 16)
    assert "1 older record:" in text
    job = {"first": EVIL, "images": 2, "platforms": EVIL, "origin": "page", "began_at": None}
    job |= {"state": "failed", "standing_back": False, "bytes": 0, "bytes_total": 0, "done": 0}
    job |= {"items": [{"name": EVIL, "state": "failed", "reason": EVIL}], "more": 0}
    text = templates.get_template("ahead.html").render(jobs=[job])
    assert (EVIL in text, text.count("&lt;script&gt;")) == (False, 4)


async def test_no_page_needs_what_its_policy_forbids() -> None:
    """No style or script in the page itself, nothing from elsewhere."""
    templates = await asyncio.to_thread(environment)
    for name in templates.list_templates(extensions=["html", "css", "js"]):
        source, _, _ = await asyncio.to_thread(templates.loader.get_source, templates, name)  # type: ignore[union-attr]
        assert " style=" not in source, name
        assert "<script>" not in source, name
        assert " onclick" not in source, name
        assert "://" not in source, name


def test_bars_and_plots() -> None:
    assert (share(1, 2), share(3, 2), share(1, None), share(1, 0)) == (500.0, 1000.0, 0.0, 0.0)
    step = {"at": 1.0, "seconds": 10.0, "hit_rate": None, "sent_bytes": 5 << 20, "fetched_bytes": 0}
    drawn = plots([step], "hour")
    assert drawn["hit_rate"].lines == ()
    assert drawn["sent"].top == drawn["fetched"].top == 1 << 19
