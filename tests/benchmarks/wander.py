"""Random questions about the whole of a synthetic cache, every answer proved.

Run as `python -m benchmarks.wander ADDRESS SEED FILES COUNT WHICH`: it asks COUNT times over eight
connections and prints a line if everything came from the cache and was right.
"""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack

from benchmarks.child import Child
from benchmarks.families import IMAGES, Family, Population
from benchmarks.keepalive import KeptAlive
from benchmarks.synthetic import REGISTRY
from fakes.images import Image, sha256

_CONNECTIONS = 8
_PROCESSES = 2


async def wander(address: str, population: Population, count: int) -> None:
    """Ask the server at host:port `address` that many times; RuntimeError for a wrong answer."""
    async with AsyncExitStack() as stack:
        children = []
        for which in range(_PROCESSES):
            numbers = (population.seed, population.files, count // _PROCESSES, which)
            child = Child("benchmarks.wander", address, *map(str, numbers))
            children.append(await stack.enter_async_context(child))
        for child in children:
            await child.line()


def _questions(population: Population, count: int, which: int) -> Iterator[tuple[str, str]]:
    """Targets, and the digest of what is to come: tags, manifests and blobs alike."""
    chance = random.Random(f"wander {population.seed} {which}")
    for _ in range(count):
        family = population[chance.randrange(len(population))]
        yield _question(family, chance)


def _question(family: Family, chance: random.Random) -> tuple[str, str]:
    position = chance.randrange(IMAGES)
    root = family.tagged_as(position)
    kind = chance.choice(("tag", "manifest", "blob", "blob"))
    if kind == "tag":
        return f"/v2/{family.repository}/manifests/v{position}?ns={REGISTRY}", str(root.digest)
    one = root if isinstance(root, Image) else chance.choice(root.images)
    digest = str(one.digest if kind == "manifest" else sha256(chance.choice(one.blobs)))
    return f"/v2/{family.repository}/{kind}s/{digest}?ns={REGISTRY}", digest


async def _ask(address: str, questions: Iterator[tuple[str, str]]) -> None:
    async with KeptAlive(address) as client:
        for target, digest in questions:
            answer = await client.ask(b"GET", target)
            if answer.status != 200 or str(sha256(answer.body)) != digest:
                raise RuntimeError(f"{target}: {answer}")


async def _main(address: str, seed: int, files: int, count: int, which: int) -> None:
    questions = _questions(Population(seed, files), count, which)
    async with asyncio.TaskGroup() as group:
        for _ in range(_CONNECTIONS):
            group.create_task(_ask(address, questions))
    print("all right", flush=True)


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], *map(int, sys.argv[2:])))
