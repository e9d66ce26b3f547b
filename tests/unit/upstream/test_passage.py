"""What a stream's bytes are counted for; the rest in test_asking.py, on whole registries."""

from __future__ import annotations

import asyncio

from entrepot.config import LimitSettings
from entrepot.errors import MirrorUnreachable
from entrepot.upstream.gate import Gate
from entrepot.upstream.health import Health
from entrepot.upstream.hosts import Hosts
from entrepot.upstream.limits import Kind
from entrepot.upstream.passage import Passage

MIB = 1 << 20


async def test_bytes_are_charged_to_every_account_and_the_slot_comes_back() -> None:
    written = {"concurrency": 1, "bytes": "1MiB/2h", "bandwidth": "1MiB/s"}
    gate = Gate(LimitSettings.model_validate(written))
    health, now = Health(), asyncio.get_running_loop().time()
    slot = await gate.enter(Kind.BLOB, stream=True)
    passage = Passage(gate, slot, health, Hosts(lambda _, __: None), "")
    assert passage.piece_bytes == MIB // 4
    await passage.ready()
    passage.received(MIB, now - 1)
    assert gate.limits.wait(Kind.BLOB, now) > 0
    assert gate.pace.wait(now) > 0.9
    passage.close()
    passage.close()
    assert gate._places._value == 1
    assert 0 < (health.throughput or 0) <= MIB


async def test_only_another_host_is_blamed() -> None:
    hosts = Hosts(lambda _, __: None)
    gate = Gate(LimitSettings())
    for elsewhere in ("", "cdn.example"):
        passage = Passage(gate, await gate.enter(Kind.BLOB), Health(), hosts, elsewhere)
        error = MirrorUnreachable("broke off")
        with passage.waiting():
            passage.failed(error)
        passage.close()
        assert error.elsewhere == elsewhere
    assert not hosts.health("cdn.example").available(asyncio.get_running_loop().time())
