"""Breakers of the hosts that redirects lead to; at work in test_asking.py."""

from __future__ import annotations

import asyncio

import pytest

from entrepot.errors import MirrorSilent, MirrorThrottled, MirrorUnreachable
from entrepot.upstream import hosts as module
from entrepot.upstream.health import Transition
from entrepot.upstream.hosts import Hosts

CDN = "cdn.example"


@pytest.fixture
def told() -> list[tuple[str, bool]]:
    return []


@pytest.fixture
def hosts(told: list[tuple[str, bool]]) -> Hosts:
    def tell(host: str, transition: Transition) -> None:
        told.append((host, transition.opened))

    return Hosts(tell)


async def test_a_host_that_failed_is_refused_once_for_each_blob(
    hosts: Hosts, told: list[tuple[str, bool]]
) -> None:
    hosts.admit(CDN, "one")
    error = MirrorUnreachable("refused")
    hosts.failed(CDN, error)
    assert error.elsewhere == CDN
    assert told == [(CDN, True)]
    for blob in ("one", "two"):
        with pytest.raises(
            MirrorUnreachable, match=r"cdn\.example is set aside for 10 s"
        ) as caught:
            hosts.admit(CDN, blob)
        assert (caught.value.asked, caught.value.elsewhere) == (False, CDN)
    hosts.admit(CDN, "one")  # asked again: nobody else has it
    with pytest.raises(MirrorUnreachable):
        hosts.admit(CDN, "one")
    hosts.admit("other.example", "one")
    hosts.answered(CDN)
    assert told == [(CDN, True), (CDN, False)]
    hosts.admit(CDN, "three")


async def test_a_host_that_wants_rest_is_no_worse_than_throttled(hosts: Hosts) -> None:
    hosts.failed(CDN, MirrorThrottled("slow down", status=429, retry_after_s=7))
    with pytest.raises(MirrorThrottled, match="7 s of rest") as caught:
        hosts.admit(CDN, "one")
    assert caught.value.retry_after_s == pytest.approx(7, abs=0.1)


async def test_silence_is_that_of_the_host_waited_for(
    hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LONG_S", 0.01)

    async def wait() -> None:
        with hosts.waiting(CDN):
            await asyncio.get_running_loop().create_future()

    loop = asyncio.get_running_loop()
    assert hosts.silence("nothing").elsewhere == ""
    task = loop.create_task(wait())
    await asyncio.sleep(0.02)
    assert hosts.silence("nothing").elsewhere == CDN  # still waiting
    hosts.answered(CDN)
    task.cancel()
    await asyncio.wait([task])
    error = hosts.silence("nothing")  # given up just now
    assert isinstance(error, MirrorSilent)
    assert error.elsewhere == CDN
    assert not hosts.health(CDN).available(loop.time())
    assert hosts.silence("nothing").elsewhere == ""  # said once


async def test_a_short_wait_given_up_says_nothing(hosts: Hosts) -> None:
    async def wait() -> None:
        with hosts.waiting(CDN):
            await asyncio.get_running_loop().create_future()

    loop = asyncio.get_running_loop()
    task = loop.create_task(wait())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert hosts.silence("nothing").elsewhere == ""
    assert hosts.health(CDN).available(loop.time())


async def test_only_so_many_hosts_are_remembered(hosts: Hosts) -> None:
    hosts.failed(CDN, MirrorUnreachable("refused"))
    for number in range(module._MOST_HOSTS):
        hosts.health(f"h{number}.example")
    hosts.admit(CDN, "one")
    assert len(hosts._known) == module._MOST_HOSTS
