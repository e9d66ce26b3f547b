from __future__ import annotations

import asyncio

from entrepot.mirror.leases import Leases
from entrepot.oci.digest import Digest

ONE, TWO = Digest.of(b"1"), Digest.of(b"2")


async def test_in_use_until_the_last_has_let_go() -> None:
    used: list[Digest] = []
    leases = Leases(used.append)
    first, second = leases.take(ONE), leases.take(ONE)
    idle = asyncio.ensure_future(leases.idle(ONE))  # noqa: TID251 - awaited below
    first.release()
    first.release()
    await asyncio.sleep(0)
    assert (ONE in leases, idle.done()) == (True, False)
    second.release()
    await idle
    assert (ONE in leases, len(leases), used) == (False, 0, [ONE, ONE])


async def test_what_nobody_uses_is_idle_at_once() -> None:
    leases = Leases()
    with_other = leases.take(TWO)
    await leases.idle(ONE)
    assert leases.digests() == {TWO}
    with_other.release()


async def test_a_new_use_before_the_waiter_woke_keeps_it_waiting() -> None:
    leases = Leases()
    lease = leases.take(ONE)
    idle = asyncio.ensure_future(leases.idle(ONE))  # noqa: TID251 - awaited below
    await asyncio.sleep(0)
    lease.release()
    again = leases.take(ONE)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not idle.done()
    again.release()
    await idle
