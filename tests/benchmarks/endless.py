"""A mirror that has every image of an endless registry: a FakeRegistry in a process of its own.

Repositories are worked out when they are asked for and forgotten soon after. Run as
`python -m benchmarks.endless SEED TROUBLED`: of its answers about blobs that share is spoilt. Tags
of repositories below `sick/` are refused from the second question on. It prints its address and
ends when its standard input does.
"""

from __future__ import annotations

import asyncio
import logging
import random
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import lru_cache

from benchmarks.child import Child
from benchmarks.families import Family
from fakes.content import Content, Repository
from fakes.fault import Fault, FaultKind
from fakes.images import OCI_MANIFEST, Image, Index, blob, index
from fakes.recorded import Recorded
from fakes.registry import FakeRegistry

LARGE_BYTES = 700_000
WIDE = 12
"""How many repositories `wide/nNUMBER` it takes to fill what is remembered of manifests."""
_WIDTH = 5_000
_REMEMBERED = 200
_FORGET_EVERY_S = 5.0
_TROUBLES: tuple[FaultKind, ...] = ("truncate", "reset", "flip", "status", "wrong_length")


def large(seed: int, number: int) -> bytes:
    """The one blob of repository `large/nNUMBER`."""
    return blob(LARGE_BYTES + number % 1000, f"{seed} large {number}")


def family(seed: int, name: str) -> Family:
    """What is in a repository `endless/nNUMBER` or `sick/nNUMBER`."""
    kind, _, number = name.partition("/n")
    return Family(seed if kind == "endless" else seed + 1, int(number))


def _wide(seed: int, number: int) -> Index:
    """An index that lists very much, none of which there is."""
    children = (
        Image(OCI_MANIFEST, f"{seed} {number} {n}".encode(), b"", ()) for n in range(_WIDTH)
    )
    return index(list(children), flavour="oci")


class Repositories(dict[str, Repository]):
    """All there are, for as long as each is needed."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._made = lru_cache(_REMEMBERED)(lambda name: _repository(seed, name))

    def get(self, name: str, default: object = None) -> Repository | None:  # type: ignore[override]
        """Never `default` for a name that could be one."""
        kind, _, number = name.partition("/n")
        known = kind in {"endless", "sick", "large", "wide"} and number.isdigit()
        return self._made(name) if known else None


def _repository(seed: int, name: str) -> Repository:
    content = Content()
    if name.startswith("large/"):
        content.put_blob(name, large(seed, int(name.removeprefix("large/n"))))
    elif name.startswith("wide/"):
        one = _wide(seed, int(name.removeprefix("wide/n")))
        content.put_manifest(name, "v0", one.manifest, one.media_type)
    else:
        for position, root in enumerate(family(seed, name).tagged):
            content.put_image(name, f"v{position}", root)
    return content.repositories[name]


class Mood:
    """Spoils some answers about blobs, and tags that are asked about again."""

    def __init__(self, seed: int, troubled: float) -> None:
        self._chance = random.Random(f"mood {seed}")
        self._troubled = troubled
        self._asked: Counter[str] = Counter()

    def __call__(self, record: Recorded) -> Fault | None:
        """The fault for one request, or none."""
        if "/sick/" in record.path and "/manifests/v" in record.path:
            self._asked[record.path] += 1
            return Fault("status", status=503) if self._asked[record.path] > 1 else None
        if "/blobs/" in record.path and self._chance.random() < self._troubled:
            kind = self._chance.choice(_TROUBLES)
            return Fault(kind, status=500, after_bytes=self._chance.randrange(300), by=1)
        return None


@asynccontextmanager
async def mirror(seed: int, troubled: float = 0.0) -> AsyncIterator[str]:
    """Run that process; its address."""
    async with Child("benchmarks.endless", str(seed), str(troubled)) as child:
        yield await child.line()


async def _serve(seed: int, troubled: float) -> None:
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)  # clients that left
    async with FakeRegistry() as registry:
        registry.content.repositories = Repositories(seed)
        registry.trouble(Mood(seed, troubled))
        print(registry.url, flush=True)
        ended = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        while not ended.done():
            await asyncio.wait([ended], timeout=_FORGET_EVERY_S)
            registry.clear()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), float(sys.argv[2])))
