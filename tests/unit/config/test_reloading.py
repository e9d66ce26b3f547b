"""What a running server can take over."""

from __future__ import annotations

import pytest

from entrepot.config import Reloaded, Settings, applicable

BEFORE: dict[str, object] = {
    "listen": ["127.0.0.1:5000", {"address": "127.0.0.1:5002", "registry": "r"}],
    "cache": {"path": "/a"},
    "registries": {"r": {"mirrors": ["http://a.test"]}, "s": {"mirrors": ["http://a.test"]}},
}


def outcome(**changes: object) -> Reloaded:
    before = Settings.model_validate(BEFORE)
    wanted = Settings.model_validate({**BEFORE, **changes})
    return Reloaded.of(before, wanted, applicable(before, wanted))


@pytest.mark.parametrize(
    ("changes", "changed", "restart"),
    [
        ({}, (), ()),
        ({"offline": True}, ("offline",), ()),
        ({"tags": {"ttl": 1}, "clients": {"head": 3}}, ("clients.head", "tags.ttl"), ()),
        ({"cache": {"path": "/b", "max_size": "1GiB"}}, ("cache.max_size",), ("cache.path",)),
        ({"admin": "127.0.0.1:9"}, (), ("admin.port",)),
        ({"admin": None}, (), ("admin",)),
        (
            {"log": {"level": "debug"}, "timeouts": {"drain": 1}},
            (),
            ("timeouts.drain", "log.level"),
        ),
        ({"listen": "127.0.0.1:6000"}, (), ("listen",)),
        (
            {
                "registries": {
                    "r": {"mirrors": ["http://b.test"]},
                    "t": {"mirrors": ["http://a.test"]},
                }
            },
            ("registries.r", "registries.s", "registries.t"),
            (),
        ),
    ],
    ids=str,
)
def test_what_changes_now_and_what_later(
    changes: dict[str, object], changed: tuple[str, ...], restart: tuple[str, ...]
) -> None:
    done = outcome(**changes)
    assert (done.changed, done.restart) == (changed, restart)


def test_a_listener_gets_another_default_registry() -> None:
    before = Settings.model_validate(BEFORE)
    listen = ["127.0.0.1:5000", {"address": "127.0.0.1:5002", "registry": "s"}]
    wanted = Settings.model_validate({**BEFORE, "listen": listen})
    settings = applicable(before, wanted)
    assert [one.registry for one in settings.listen] == [None, "s"]
    assert Reloaded.of(before, wanted, settings) == Reloaded(("listen",), ())
