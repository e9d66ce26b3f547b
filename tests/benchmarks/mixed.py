"""Every kind of request there is, in a seeded mixture, from a process of its own.

Run as `python -m benchmarks.mixed ADDRESS SEED WHICH`: for each number on its standard input it
makes at least that many requests over eight connections and prints what came of them as JSON. Its
connections stay open in between. Whatever is not as it should be is told as `WRONG ...`.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
from collections import Counter, deque
from contextlib import suppress
from functools import lru_cache

from benchmarks.child import Child
from benchmarks.endless import LARGE_BYTES, family, large
from benchmarks.families import IMAGES, Family
from benchmarks.keepalive import Answer, KeptAlive
from fakes.images import Image, sha256

REGISTRY = "long.example"
SICK = "sick.example"
CONNECTIONS = 8
HOT_FAMILIES = 40
_NUMBERS_EACH = 10_000_000
_KNOWN_SICK = 300
"""So many only, because they are kept: if they took all the room, more could not be kept."""
_NS = f"?ns={REGISTRY}"


class Mixed(Child):
    """That process, seen from the one that measures."""

    def __init__(self, address: str, seed: int, which: int) -> None:
        super().__init__("benchmarks.mixed", address, str(seed), str(which))

    async def make(self, count: int) -> Counter[str]:
        """Let it make so many requests; what came of them."""
        self.tell(str(count))
        return Counter(json.loads(await self.line()))


class Client:
    """One connection's share of the mixture; `left` and what is counted belong to all of them."""

    def __init__(self, load: Load, number: int) -> None:
        self._load = load
        self._chance = random.Random(f"{load.seed} {load.which} {number}")
        self._kept = KeptAlive(load.address)

    async def work(self) -> None:
        """Until there is nothing left to do."""
        steps = {
            self._hot_tag: 50,
            self._hot_manifest: 20,
            self._hot_blob: 12,
            self._hot_range: 6,
            self._absent: 1,
            self._refused: 2,
            self._fresh_image: 0.4,
            self._large: 0.04,
            self._sick: 0.5,
        }
        while self._load.left > 0:
            [step] = self._chance.choices(list(steps), list(steps.values()))
            await step()

    async def leave(self) -> None:
        """Close the connection."""
        await self._kept.leave()

    def _hot(self) -> tuple[Family, int]:
        """An image that is asked for again and again; some more than others."""
        number = int(HOT_FAMILIES * self._chance.random() ** 2)
        return self._load.family(f"endless/n{number}"), self._chance.randrange(IMAGES)

    def _hot_image(self) -> tuple[str, Image]:
        one, position = self._hot()
        root = one.tagged[position]
        image = root if isinstance(root, Image) else self._chance.choice(root.images)
        return f"/v2/{self._name(one)}", image

    def _name(self, one: Family) -> str:
        return f"endless/n{one.number}"

    async def _hot_tag(self) -> None:
        one, position = self._hot()
        method = self._chance.choice((b"HEAD", b"GET"))
        target = f"/v2/{self._name(one)}/manifests/v{position}{_NS}"
        answer = await self._ask("tag", method, target, 200)
        self._same(answer, str(one.tagged[position].digest), method == b"GET")

    async def _hot_manifest(self) -> None:
        base, image = self._hot_image()
        target = f"{base}/manifests/{image.digest}{_NS}"
        self._same(await self._ask("manifest", b"GET", target, 200), str(image.digest))

    async def _hot_blob(self) -> None:
        base, image = self._hot_image()
        digest = str(sha256(self._chance.choice(image.blobs)))
        self._same(await self._ask("blob", b"GET", f"{base}/blobs/{digest}{_NS}", 200), digest)

    async def _hot_range(self) -> None:
        base, image = self._hot_image()
        data = self._chance.choice(image.layers)
        start = self._chance.randrange(50)
        target = f"{base}/blobs/{sha256(data)}{_NS}"
        answer = await self._ask("range", b"GET", target, 206, b"Range: bytes=%d-90\r\n" % start)
        if answer.body != data[start:91]:
            # A part is not kept waiting for the proof of the whole (L-3); from the cache it is one.
            hit = answer.header(b"entrepot-source") == b"hit"
            self._load.counted["WRONG range" if hit else "unproved range"] += 1

    async def _absent(self) -> None:
        one, _ = self._hot()
        number = self._load.next_number("absent")
        target = f"/v2/{self._name(one)}/manifests/x{number}{_NS}"
        await self._ask("absent", b"GET", target, 404)

    async def _refused(self) -> None:
        number = self._load.next_number("refused")
        method, target, status = self._chance.choice(
            (
                (b"GET", f"/v2/a/b/manifests/v{number}?ns=other{number}.example", 404),
                (b"GET", f"/v2/A/{number}/manifests/v{_NS}", 400),
                (b"POST", f"/v2/a{number}/blobs/uploads/{_NS}", 405),
            )
        )
        await self._ask("refused", method, target, status)

    async def _fresh_image(self) -> None:
        """All of an image that nobody has asked for before, some of it twice at once."""
        number, position = divmod(self._load.next_number("image"), IMAGES)
        name = f"endless/n{number}"
        root = self._load.family(name).tagged[position]
        target = f"/v2/{name}/manifests/v{position}{_NS}"
        self._same(await self._ask("new tag", b"HEAD", target, 200), str(root.digest), False)
        image = root if isinstance(root, Image) else root.images[0]
        target = f"/v2/{name}/manifests/{image.digest}{_NS}"
        self._same(await self._ask("new manifest", b"GET", target, 200), str(image.digest))
        for data in image.blobs:
            digest = str(sha256(data))
            answer = await self._ask("new blob", b"GET", f"/v2/{name}/blobs/{digest}{_NS}", 200)
            self._same(answer, digest)

    async def _large(self) -> None:
        """A large blob: left in the middle, resumed, got whole."""
        number = self._load.next_number("large")
        data = large(self._load.seed, number)
        target = f"/v2/large/n{number}/blobs/{sha256(data)}{_NS}"
        self._load.left -= 1
        status = await self._kept.begin(target, self._chance.randrange(LARGE_BYTES))
        self._load.counted["broken off" if status == 200 else f"WRONG large: {status}"] += 1
        start = self._chance.randrange(LARGE_BYTES)
        answer = await self._ask("resumed", b"GET", target, 206, b"Range: bytes=%d-\r\n" % start)
        if answer.body != data[start:]:
            self._load.counted["WRONG rest"] += 1
        self._same(await self._ask("large", b"GET", target, 200), str(sha256(data)))

    async def _sick(self) -> None:
        """A tag whose mirror fails from the second question on: answered all the same."""
        known = self._load.sick
        if len(known) == _KNOWN_SICK or (known and self._chance.random() < 0.5):
            number, position = divmod(known[0], IMAGES)
            known.rotate(-1)
        else:
            number, position = divmod(self._load.next_number("sick"), IMAGES)
            known.append(number * IMAGES + position)
        name = f"sick/n{number}"
        root = self._load.family(name).tagged[position]
        target = f"/v2/{name}/manifests/v{position}?ns={SICK}"
        self._same(await self._ask("sick tag", b"GET", target, 200), str(root.digest))

    async def _ask(
        self, what: str, method: bytes, target: str, status: int, headers: bytes = b""
    ) -> Answer:
        self._load.left -= 1
        answer = await self._kept.ask(method, target, headers)
        if not answer.whole:  # how a client hears that the bytes were wrong: it asks again
            self._load.left -= 1
            self._load.counted["cut"] += 1
            answer = await self._kept.ask(method, target, headers)
        right = answer.status == status and answer.whole
        self._load.counted[what if right else f"WRONG {what}: {answer.status}"] += 1
        if not right:
            print(target, answer, file=sys.stderr)
        return answer

    def _same(self, answer: Answer, digest: str, body: bool = True) -> None:
        if answer.header(b"docker-content-digest").decode() != digest:
            self._load.counted["WRONG digest named"] += 1
        elif body and str(sha256(answer.body)) != digest:
            self._load.counted["WRONG bytes"] += 1


class Load:
    """What the connections of this process share."""

    def __init__(self, address: str, seed: int, which: int) -> None:
        self.address = address
        self.seed = seed
        self.which = which
        self.left = 0
        self.counted: Counter[str] = Counter()
        self.sick: deque[int] = deque()
        self.family = lru_cache(4 * HOT_FAMILIES)(lambda name: family(seed, name))
        self._numbers: Counter[str] = Counter()
        self._clients = [Client(self, number) for number in range(CONNECTIONS)]

    def next_number(self, what: str) -> int:
        """One that nobody has had for `what`."""
        self._numbers[what] += 1
        return (1 + self.which) * _NUMBERS_EACH + self._numbers[what]

    async def run(self, count: int) -> Counter[str]:
        """Make that many requests, or a few more."""
        self.left = count
        self.counted.clear()
        async with asyncio.TaskGroup() as group:
            for client in self._clients:
                group.create_task(client.work())
        return self.counted

    async def aclose(self) -> None:
        """Close the connections."""
        for client in self._clients:
            await client.leave()


async def _main(address: str, seed: int, which: int) -> None:
    load = Load(address, seed, which)
    try:
        while line := await asyncio.to_thread(sys.stdin.readline):
            print(json.dumps(await load.run(int(line))), flush=True)
    finally:
        await load.aclose()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(_main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
