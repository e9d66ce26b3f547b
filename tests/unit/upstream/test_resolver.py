"""Name lookups that hold up nothing else."""

from __future__ import annotations

import asyncio
import socket
import threading

import pytest

from entrepot.upstream.resolver import PinnedResolver, Resolver

pytestmark = pytest.mark.rule("P28")


async def test_a_name_has_its_addresses() -> None:
    (found,) = await Resolver().resolve("localhost", 5000, socket.AF_INET)
    assert (found["hostname"], found["host"], found["port"]) == ("localhost", "127.0.0.1", 5000)
    assert found["family"] == socket.AF_INET


@pytest.mark.parametrize("host", ["127.0.0.1", "two..dots", "x" * 64])
async def test_a_name_without_any_is_an_os_error(host: str) -> None:
    async with asyncio.timeout(5):
        with pytest.raises(OSError, match=r"."):
            await Resolver().resolve(host, 5000, socket.AF_INET6)


async def test_a_question_that_hangs_uses_nobodys_thread_and_may_be_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A stand-in for a dead name server: the system's own patience cannot be tested quickly."""
    asked, answer, real = threading.Semaphore(0), threading.Event(), socket.getaddrinfo

    def hang(*args: object, **kwargs: object) -> object:
        asked.release()
        answer.wait(10)
        return real("127.0.0.1", 5000, type=socket.SOCK_STREAM)

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    resolver = Resolver()
    try:
        async with asyncio.TaskGroup() as group:
            questions = [group.create_task(resolver.resolve(f"host-{n}")) for n in range(40)]
            for _ in questions:
                assert await asyncio.to_thread(asked.acquire, timeout=5)
            assert await asyncio.to_thread(lambda: "the disk") == "the disk"
            for question in questions[1:]:
                question.cancel()
            answer.set()
            assert (await questions[0])[0]["host"] == "127.0.0.1"
        assert all(question.cancelled() for question in questions[1:])
    finally:
        answer.set()
        for thread in threading.enumerate():
            if thread.name.startswith("resolve "):
                await asyncio.to_thread(thread.join)
    await resolver.close()


async def test_pinned_addresses_are_the_answer_to_every_question() -> None:
    resolver = PinnedResolver(["127.0.0.1", "::1"])
    both = await resolver.resolve("registry.example", 443, socket.AF_UNSPEC)
    assert [(one["host"], one["port"], one["family"]) for one in both] == [
        ("127.0.0.1", 443, socket.AF_INET),
        ("::1", 443, socket.AF_INET6),
    ]
    four = await resolver.resolve("other.example", 443, socket.AF_INET)
    assert [one["host"] for one in four] == ["127.0.0.1"]
    with pytest.raises(OSError, match="no pinned address"):
        await PinnedResolver(["::1"]).resolve("registry.example", 443, socket.AF_INET)
    await resolver.close()


@pytest.mark.parametrize("first", [socket.AF_INET, socket.AF_INET6])
async def test_the_family_that_is_preferred_is_told_first(first: socket.AddressFamily) -> None:
    resolver = PinnedResolver(["127.0.0.1", "::1", "127.0.0.2", "::2"], first)
    found = await resolver.resolve("registry.example", 443, socket.AF_UNSPEC)
    kinds = [one["family"] for one in found]
    assert kinds[:2] == [first, first]
    assert len(found) == 4
    assert found[0]["host"] == ("127.0.0.1" if first is socket.AF_INET else "::1")
    system = await Resolver(first).resolve("127.0.0.1", 443, socket.AF_UNSPEC)
    assert [one["host"] for one in system] == ["127.0.0.1"]
