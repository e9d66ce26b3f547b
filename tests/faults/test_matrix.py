"""Every trouble, in every operation, with no, one and two honest mirrors behind it.

While an honest mirror is there the operation succeeds with the right bytes. Without one it succeeds
or ends in an error that says so, or in a cut connection: never in wrong bytes, never too late.
A blob that is fetched from several mirrors at once has one honest mirror, beside one and two ill.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from entrepot.mirror.plan import SMALLEST_PART_BYTES
from fakes.fault import Fault
from fakes.registry import FakeRegistry
from faults.operations import (
    OPERATIONS,
    STRIPED_BLOB,
    End,
    Operation,
    Request,
    put,
    put_striped,
)
from faults.troubles import TROUBLES, Trouble
from unit.web.serving import serving, until
from wire.client import Answer, client
from wire.test_transfers import assert_nothing_poisoned

pytestmark = pytest.mark.faults

HEADERS_S = 2.0
HASTE = {"headers": HEADERS_S, "overtake": 0.1, "stall": 0.3, "connect": 1.0}
GRACE_S = 2.0  # for a busy machine; a deadline that is not kept is missed by far more
CASE_S = 25.0
HONEST = (0, 1, 2)
ILL = (1, 2)
MOST_TRIES = 3
MOST_ASKED = 40  # of a mirror in trouble, for one operation: it is not to be pelted with requests


@dataclass(frozen=True, slots=True)
class Case:
    """One cell of the matrix, in a server of its own."""

    trouble: Trouble
    operation: Operation
    honest: int
    chance: random.Random
    path: Path
    ill: int = 1

    def __str__(self) -> str:
        mirrors = f"{self.ill} ill and {self.honest} honest"
        return f"{self.trouble.name} in {self.operation.name} with {mirrors}"

    @property
    def _most_tries(self) -> int:
        """Liars who agree are found one at a time, each by a whole blob of its own."""
        return MOST_TRIES + self.ill - 1

    @property
    def _striped(self) -> bool:
        return self.operation is STRIPED_BLOB

    @property
    def may_be_cut(self) -> bool:
        """Whether clients may get bytes, or a length, that nobody could know to be wrong.

        They are cut off then, come back and get what is right.
        """
        if self.operation.ground != "blob":
            return False
        if self._wrong_bytes:
            return self.operation.large
        return self._wrong_size

    @property
    def _wrong_bytes(self) -> bool:
        return self.trouble.name.startswith("flip")

    @property
    def _wrong_size(self) -> bool:
        """Once a manifest has said how long a blob is, nobody believes a mirror's length."""
        wrong = self.trouble.name in {"too_long", "too_short"}
        return wrong and not self.operation.knows_size

    async def run(self) -> End:
        """How the operation ended, once everything has been checked."""
        async with AsyncExitStack() as stack:
            if self._striped:
                ill, mirrors = await self._striping(stack)
            else:
                ill, mirrors = await self._mirrors(stack)
            async with serving(self.path, *mirrors, timeouts=HASTE) as served:
                end = await self._try(served.address)
                await served.until_filled()
                for mirror in mirrors:
                    await mirror.until_idle()
            for one in ill:
                asked = [r for r in one.requests if not self._striped or "/blobs/" in r.path]
                assert asked, "a mirror in trouble was never asked: nothing was shown"
                assert len(one.requests) <= MOST_ASKED
            await until(lambda: not any(mirror.connections for mirror in mirrors))
            await asyncio.to_thread(assert_nothing_poisoned, self.path)
        return end

    async def _striping(
        self, stack: AsyncExitStack
    ) -> tuple[Sequence[FakeRegistry], Sequence[FakeRegistry]]:
        """Parts are asked for as it is: no mirror has to break off first."""
        ill = [await stack.enter_async_context(self.trouble.mirror()) for _ in range(self.ill)]
        for one in ill:
            self.trouble.strike_parts(one, self.chance, self.operation.size, SMALLEST_PART_BYTES)
        honest = [await stack.enter_async_context(FakeRegistry()) for _ in range(self.honest)]
        for mirror in (*ill, *honest):
            put_striped(mirror)
        return ill, [*ill, *honest]

    async def _mirrors(
        self, stack: AsyncExitStack
    ) -> tuple[Sequence[FakeRegistry], Sequence[FakeRegistry]]:
        ill = await stack.enter_async_context(self.trouble.mirror())
        self.trouble.strike(ill, self.chance, self.operation.size)
        mirrors = [ill]
        if self.trouble.after_break:
            breaking = await stack.enter_async_context(FakeRegistry())
            at = self.chance.randrange(1, self.operation.size)
            cut = Fault("reset", method="GET", path="/blobs/", times=None, after_bytes=at)
            breaking.fault(cut)
            breaking.fault(Fault("refuse", times=None))
            mirrors.insert(0, breaking)
        for _ in range(self.honest):
            mirrors.append(await stack.enter_async_context(FakeRegistry()))
        for mirror in mirrors:
            put(mirror)
        return [ill], mirrors

    async def _try(self, address: str) -> End:
        ends: list[End] = []
        for request in self.operation.requests:
            ends = []
            while not ends or (ends[-1] == "cut" and len(ends) < self._most_tries):
                answer = await _timed(address, request)
                end = request.judge(
                    answer, wrong_bytes=self._wrong_bytes, wrong_size=self._wrong_size
                )
                ends.append(end)
            if ends[-1] != "right":
                break
        self._judge_ends(ends)
        return ends[-1]

    def _judge_ends(self, ends: Sequence[End]) -> None:
        told = f"{self}: {ends}"
        cured = self.trouble.curable and self.operation.ground == "blob"
        # A pull may meet the trouble in its manifest, which nobody asks for a second time.
        if self.honest > 0 or (cured and not self.operation.knows_size):
            assert ends[-1] in {"right", "unproved"}, told
            assert len(ends) == 1 or self.may_be_cut, told
        if self.honest == 0 and self.trouble.hopeless:
            assert ends == ["refused"], told


async def _timed(address: str, request: Request) -> Answer:
    """The answer, whose head is not late."""
    loop = asyncio.get_running_loop()
    async with client(address) as one:
        await one.send(request.method, request.target, *request.headers)
        asked_at = loop.time()
        head = await one.hear_head()
        took_s = loop.time() - asked_at
        assert took_s < HEADERS_S + GRACE_S, f"the head took {took_s:.1f} s"
        if request.method == "HEAD":
            return head
        assert head.length is not None, f"of no length: {head}"
        body = await one.hear_bytes(head.length)
        return Answer(head.version, head.status, head.headers, body, len(body) == head.length)


@pytest.mark.rule("T-1", "T-2", "T-3", "T-9", "E-1", "E-2", "P8", "P12", "U-4", "U-13")
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.name)
@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda one: one.name)
async def test_trouble(
    trouble: Trouble, operation: Operation, fault_seed: int, tried: Counter[str], tmp_path: Path
) -> None:
    cases = []
    for honest in HONEST:
        # Counted out, not drawn from one stream: a case stays the same when others are added.
        chance = random.Random(f"{fault_seed} {trouble.name} {operation.name} {honest}")
        cases.append(Case(trouble, operation, honest, chance, tmp_path / str(honest)))
    async with asyncio.timeout(CASE_S), asyncio.TaskGroup() as group:
        tasks = [group.create_task(case.run(), name=str(case)) for case in cases]
    for case, task in zip(cases, tasks, strict=True):
        tried[f"{task.result()} with {'an' if case.honest else 'no'} honest mirror"] += 1


@pytest.mark.rule("T-2", "T-3", "T-9", "P8", "P12", "U-4")
@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda one: one.name)
async def test_trouble_while_striped(
    trouble: Trouble, fault_seed: int, tried: Counter[str], tmp_path: Path
) -> None:
    """One case after the other: each has enough to do with the bytes of a large blob."""
    for ill in ILL:
        chance = random.Random(f"{fault_seed} {trouble.name} striped {ill}")
        case = Case(trouble, STRIPED_BLOB, 1, chance, tmp_path / str(ill), ill)
        async with asyncio.timeout(CASE_S):
            tried[f"{await case.run()} of a striped blob"] += 1
