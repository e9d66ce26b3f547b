"""Clients that outlast a change of the settings, and those that do not."""

from __future__ import annotations

from pathlib import Path

import pytest
import trustme

from entrepot.config import Settings
from entrepot.metrics import Metrics
from entrepot.mirror.mirrors import Mirrors, clients_of
from entrepot.upstream.outbound import Outbound


def settings(*mirrors: object, **more: object) -> Settings:
    return Settings.model_validate({"registries": {"r": {"mirrors": list(mirrors)}}, **more})


async def test_only_what_has_changed_gets_a_new_client() -> None:
    mirrors = Mirrors(Outbound(), Metrics())
    before = await mirrors.registries(settings("http://a.test", "http://b.test"))
    a, b = before["r"].mirrors
    after = await mirrors.registries(
        settings("http://c.test", {"url": "http://b.test", "except": ["x"]}, "http://a.test"),
        before,
    )
    c, other_b, same_a = after["r"].mirrors
    assert same_a is a
    assert other_b is not b
    assert [one.name for one in (c, other_b)] == ["c.test", "b.test"]
    assert clients_of(before) - clients_of(after) == {b}
    await mirrors.close({b})
    await mirrors.aclose()


async def test_other_times_make_other_clients() -> None:
    mirrors = Mirrors(Outbound(), Metrics())
    before = await mirrors.registries(settings("http://a.test"))
    after = await mirrors.registries(settings("http://a.test", timeouts={"stall": 3}), before)
    assert not clients_of(before) & clients_of(after)
    await mirrors.aclose()


async def test_what_reads_a_file_at_the_start_reads_it_again(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(str(file))
    told = settings({"url": "https://a.test", "ca": str(file)})
    mirrors = Mirrors(Outbound(), Metrics())
    before = await mirrors.registries(told)
    after = await mirrors.registries(told, before)
    assert not clients_of(before) & clients_of(after)
    await mirrors.aclose()


async def test_a_file_that_is_gone_leaves_nothing_open(tmp_path: Path) -> None:
    outbound = Outbound()
    mirrors = Mirrors(outbound, Metrics())
    told = settings("http://a.test", {"url": "https://b.test", "ca": str(tmp_path / "none.pem")})
    with pytest.raises(OSError, match="No such file"):
        await mirrors.registries(told)
    # Nobody is left to be told.
    await outbound.set_offline(True)
    await mirrors.aclose()
