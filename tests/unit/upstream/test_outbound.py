"""The switch: what it refuses, what it stops, and that nothing gets past it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

import entrepot
from entrepot.config import MirrorSettings, TimeoutSettings
from entrepot.errors import AttemptError, MirrorOffline, MirrorUnreachable
from entrepot.oci.digest import Digest
from entrepot.oci.reference import RepositoryName, Tag
from entrepot.upstream.blobstream import BlobStream
from entrepot.upstream.mirror import MirrorClient
from entrepot.upstream.outbound import Outbound
from fakes.images import image
from fakes.registry import FakeRegistry, Fault

PAUSE, TAG, DIGEST = RepositoryName("pause"), Tag("3.1"), Digest.of(b"")


@asynccontextmanager
async def client(outbound: Outbound, url: str, **settings: object) -> AsyncIterator[MirrorClient]:
    mirror = MirrorSettings.model_validate({"url": url, **settings})
    one = MirrorClient("registry.example", mirror, TimeoutSettings(), outbound=outbound)
    await one.start()
    try:
        yield one
    finally:
        await one.aclose()


async def test_the_switch_goes_both_ways_and_stops_the_last_comer_first() -> None:
    outbound, stopped = Outbound(), list[str]()

    async def first() -> None:
        stopped.append("first")

    async def second() -> None:
        assert outbound.offline, "who is stopped must not be able to begin again"
        stopped.append("second")

    outbound.on_offline(first)
    outbound.on_offline(second)
    outbound.check()
    await outbound.set_offline(True)
    await outbound.set_offline(True)
    assert stopped == ["second", "first"]
    with pytest.raises(MirrorOffline):
        outbound.check()
    await outbound.set_offline(False)
    outbound.check()
    assert stopped == ["second", "first"]


async def test_connections_go_last_and_what_was_taken_back_is_not_called() -> None:
    outbound, stopped = Outbound(), list[str]()

    async def hang_up() -> None:
        stopped.append("connections")

    async def user() -> None:
        stopped.append("user")

    async def gone() -> None:
        stopped.append("gone")

    outbound.on_offline(user)
    take_back = outbound.on_offline(gone)
    outbound.connected(hang_up)
    outbound.connected(gone)
    take_back()
    outbound.disconnected(gone)
    outbound.disconnected(gone)
    await outbound.set_offline(True)
    assert stopped == ["user", "connections"]


@pytest.mark.parametrize(
    "settings",
    [{}, {"proxy": "http://proxy.example:3128"}, {"proxy": "socks5h://proxy.example:1080"}],
    ids=["direct", "proxy", "socks"],
)
async def test_offline_no_question_gets_as_far_as_a_name(settings: dict[str, object]) -> None:
    """A look-up of this name is refused to tests, and would be told as MirrorUnreachable."""
    outbound = Outbound(offline=True)
    async with client(outbound, "http://registry.example", **settings) as mirror:
        assert mirror.offline
        for question in (
            mirror.head_manifest(PAUSE, TAG),
            mirror.get_manifest(PAUSE, TAG),
            mirror.head_blob(PAUSE, DIGEST),
            mirror.open_blob(PAUSE, DIGEST),
            mirror.list_tags(PAUSE),
            mirror.get_referrers(PAUSE, DIGEST),
        ):
            with pytest.raises(MirrorOffline) as caught:
                await question
            assert not caught.value.asked
    assert mirror.health.available(asyncio.get_running_loop().time())


async def test_questions_in_progress_end_and_hold_nothing_against_the_mirror() -> None:
    outbound = Outbound()
    async with FakeRegistry() as registry, client(outbound, registry.url) as mirror:
        digest = registry.put_image("pause", "3.1", image(1))
        registry.fault(Fault("silent", path="/manifests/"))
        async with asyncio.TaskGroup() as tasks:
            asking = tasks.create_task(_outcome(mirror))
            await registry.until_asked("/manifests/")
            await outbound.set_offline(True)
            assert isinstance(await asking, MirrorOffline)
        registry.clear()
        assert isinstance(await _outcome(mirror), MirrorOffline)
        assert registry.requests == []
        await outbound.set_offline(False)
        assert (await mirror.get_manifest(PAUSE, TAG)).digest == digest


async def test_a_token_that_is_being_asked_for_is_given_up() -> None:
    outbound = Outbound()
    async with (
        FakeRegistry(token_auth=True) as registry,
        client(outbound, registry.url) as mirror,
    ):
        registry.put_image("pause", "3.1", image(1))
        registry.fault(Fault("silent", path="/token"))
        async with asyncio.TaskGroup() as tasks:
            asking = tasks.create_task(_outcome(mirror))
            await registry.until_asked("/token")
            await outbound.set_offline(True)
            assert isinstance(await asking, AttemptError)
        await outbound.set_offline(False)
        assert (await mirror.get_manifest(PAUSE, TAG)).size


async def test_a_body_in_progress_breaks_off() -> None:
    outbound = Outbound()
    async with FakeRegistry() as registry, client(outbound, registry.url) as mirror:
        digest = registry.put_blob("pause", bytes(1_000_000))
        registry.fault(Fault("stall", path="/blobs/", after_bytes=1000))
        stream = await mirror.open_blob(PAUSE, digest)
        await outbound.set_offline(True)
        with pytest.raises(MirrorUnreachable):
            await _read_all(stream)
        await stream.aclose()


async def _read_all(stream: BlobStream) -> None:
    while len(await stream.read_piece()):
        pass


async def _outcome(mirror: MirrorClient) -> object:
    try:
        return await mirror.get_manifest(PAUSE, TAG)
    except AttemptError as error:
        return error


def test_there_is_one_way_out() -> None:
    """Who opens connections otherwise goes past the switch."""
    root = Path(entrepot.__file__).parent
    ways = {
        "ClientSession(": {"upstream/transport.py"},
        "open_connection": set[str](),
        "create_connection": {"cli/asking.py"},  # this machine's own admin listener
        "create_datagram_endpoint": set(),
        "sock_connect": {"upstream/transport.py"},  # a time limit's name
        "urlopen": set(),
        "build_opener": {"cli/webtext.py"},  # of a URL that a person gives to `pins import`
        # commands, which ask the admin listener or the process itself
        "HTTPConnection(": {
            "cli/asking.py",
            "cli/choosing.py",
            "cli/directory.py",
            "cli/health.py",
        },
    }
    for way, allowed in ways.items():
        files = {path for path in root.rglob("*.py") if way in path.read_text()}
        assert {path.relative_to(root).as_posix() for path in files} == allowed, way
