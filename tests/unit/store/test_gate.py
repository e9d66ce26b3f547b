from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from entrepot.store.gate import Gate

WAIT_S = 30


def test_sharers_are_inside_together() -> None:
    gate, both = Gate(), threading.Barrier(2)

    def share() -> int:
        with gate.shared():
            return both.wait(WAIT_S)

    with ThreadPoolExecutor(2) as pool:
        assert {f.result() for f in [pool.submit(share), pool.submit(share)]} == {0, 1}


def test_alone_waits_for_sharers_and_keeps_newcomers_out() -> None:
    gate, order = Gate(), list[str]()
    inside, leave, waiting = threading.Event(), threading.Event(), threading.Event()

    def first() -> None:
        with gate.shared():
            inside.set()
            leave.wait(WAIT_S)
            order.append("first")

    def alone() -> None:
        waiting.set()
        with gate.alone():
            order.append("alone")

    def second() -> None:
        with gate.shared():
            order.append("second")

    with ThreadPoolExecutor(3) as pool:
        pool.submit(first)
        assert inside.wait(WAIT_S)
        pool.submit(alone)
        assert waiting.wait(WAIT_S)
        while not gate.wanted_alone:
            threading.Event().wait(0.001)
        pool.submit(second)
        leave.set()
    assert order == ["first", "alone", "second"]


def test_only_one_is_alone() -> None:
    gate, inside, most = Gate(), list[int](), list[int]()

    def alone(number: int) -> None:
        for _ in range(50):
            with gate.alone():
                inside.append(number)
                most.append(len(inside))
                inside.remove(number)

    with ThreadPoolExecutor(4) as pool:
        for future in [pool.submit(alone, number) for number in range(4)]:
            future.result(WAIT_S)
    assert len(most) == 200
    assert max(most) == 1


def test_an_error_inside_opens_the_gate_again() -> None:
    gate = Gate()
    for enter in (gate.shared, gate.alone, gate.shared):
        with pytest.raises(ZeroDivisionError), enter():
            _ = 1 / 0
    assert not gate.wanted_alone
    with gate.alone():
        assert gate.wanted_alone
