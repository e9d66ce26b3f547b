"""Which settings a running server can take over, and which want another start."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from entrepot.config.clients import ListenSettings
from entrepot.config.settings import Settings


@dataclass(frozen=True, slots=True)
class Reloaded:
    """What became of new settings; keys as in the file.

    `changed` are those that are in force now, `restart` those that will be after a restart.
    """

    changed: tuple[str, ...]
    restart: tuple[str, ...]

    @classmethod
    def of(
        cls,
        before: Settings,
        wanted: Settings,
        applied: Settings,
        contents: Collection[str] = (),
    ) -> Reloaded:
        """Compare what was, what the file says and what is.

        `contents` are keys that name files with other contents than before.
        """
        changed = _differing(before, applied)
        read = tuple(key for key in contents if key not in changed)
        return cls(changed + read, _differing(applied, wanted))


def applicable(before: Settings, wanted: Settings) -> Settings:
    """Take over from `wanted` all that can be without a restart; the rest stays as it is.

    Of the listeners only the default registries can change.
    """
    cache = wanted.cache.model_copy(
        update={"path": before.cache.path, "unfinished": before.cache.unfinished}
    )
    timeouts = wanted.timeouts.model_copy(update={"drain": before.timeouts.drain})
    return wanted.model_copy(
        update={
            "cache": cache,
            "timeouts": timeouts,
            "admin": before.admin,
            "log": before.log,
            "listen": tuple(_listening(before, wanted)),
        }
    )


def _listening(before: Settings, wanted: Settings) -> list[ListenSettings]:
    """The listeners that are open, each with the registry that the new settings give it."""
    registries = {str(one): one.registry for one in wanted.listen}
    return [
        one.model_copy(update={"registry": registries.get(str(one), one.registry)})
        for one in before.listen
    ]


def _differing(one: Settings, other: Settings) -> tuple[str, ...]:
    """Name the keys, at most two deep, whose values differ."""
    found = []
    for key in type(one).model_fields:
        left, right = getattr(one, key), getattr(other, key)
        if left == right:
            continue
        fields = getattr(type(left), "model_fields", None)
        if isinstance(left, dict) and isinstance(right, dict):
            names = sorted(left.keys() | right.keys())
            found += [f"{key}.{name}" for name in names if left.get(name) != right.get(name)]
        elif fields is not None and type(left) is type(right):
            found += [
                f"{key}.{name}" for name in fields if getattr(left, name) != getattr(right, name)
            ]
        else:
            found.append(key)
    return tuple(found)
