"""Fetching ahead: images nobody has asked for yet, when nobody waits for anything else."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, field

import structlog

from entrepot.errors import (
    AllFailed,
    AllThrottled,
    EntrepotError,
    ManifestUnknown,
    NameUnknown,
    NoRoom,
    TransferBroken,
)
from entrepot.mirror.blobs import Blobs
from entrepot.mirror.courtesy import Courtesy
from entrepot.mirror.fills import Fills
from entrepot.mirror.manifests import Manifests
from entrepot.mirror.namedimage import NamedImage
from entrepot.mirror.names import NameTable
from entrepot.mirror.prefetchjob import Item, Job, Order, Progress, State
from entrepot.mirror.reach import Reach
from entrepot.mirror.tags import Tags
from entrepot.oci.digest import Digest
from entrepot.oci.manifest import Manifest
from entrepot.oci.mediatype import is_foreign, is_index
from entrepot.store.children import NO_PLATFORM, children_of
from entrepot.store.closure import Closure
from entrepot.store.completeness import Completeness
from entrepot.store.record import Child
from entrepot.tasks import TaskOwner

AT_A_TIME = 3
"""Blobs of a job; each may come from several mirrors, and the mirrors' own limits count as well."""
RESTS_S = (5.0, 20.0, 60.0)
"""Between the rounds, for images that could not be had: mirrors come back."""
_MOST_JOBS_KEPT = 20
_PASSING = (AllFailed, AllThrottled, TransferBroken)
_DEPTH = 4

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Means:
    """What images are asked for with. `use` is entered while something is being asked for."""

    names: NameTable
    tags: Tags
    blobs: Blobs
    deadline_s: float
    use: AbstractContextManager[None] = field(default_factory=nullcontext)

    @property
    def manifests(self) -> Manifests:
        """Those by which tags and blobs are found."""
        return self.blobs.manifests

    def deadline(self) -> float:
        """Tell until when an answer to a question of now is waited for."""
        return asyncio.get_running_loop().time() + self.deadline_s


@dataclass(slots=True)
class Prefetch:
    """Owns its jobs; `aclose` ends them, and what they have begun goes on the next time.

    `means` may be exchanged: what is left of jobs in progress is asked for with the new ones.
    """

    means: Means
    rests_s: Sequence[float] = RESTS_S
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    courtesy: Courtesy = field(init=False)
    _jobs: dict[int, Job] = field(default_factory=dict)
    _tasks: dict[int, asyncio.Task[None]] = field(default_factory=dict)
    _owner: TaskOwner = field(default_factory=lambda: TaskOwner("prefetch"))
    _last: int = 0

    def __post_init__(self) -> None:
        self.courtesy = Courtesy(self._fills)

    # -- jobs ----------------------------------------------------------------------------------

    def start(self, order: Order) -> Job:
        """Begin an order; it goes on whoever watches."""
        self._last += 1
        told = dict.fromkeys(order.images)
        items = [Item(each, extra=each in order.extras) for each in told]
        job = Job(self._last, order, self.means.manifests.clock(), items)
        self._jobs[job.number] = job
        for number in [n for n, each in self._jobs.items() if each.ended][:-_MOST_JOBS_KEPT]:
            del self._jobs[number]
        task = self._owner.start(self._run(job), name=f"job {job.number}")
        self._tasks[job.number] = task
        task.add_done_callback(lambda _: self._ended(job))
        return job

    def jobs(self) -> list[Job]:
        """List those in progress, and the last ones that have ended."""
        return list(self._jobs.values())

    async def cancel(self, number: int) -> Job | None:
        """End a job, and return when it has ended; None when there is none by that number."""
        job, task = self._jobs.get(number), self._tasks.get(number)
        if job is not None and task is not None:
            job.cancelled = True
            task.cancel()
            await asyncio.wait([task])
        return job

    def progress(self, job: Job) -> Progress:
        """Tell how far a job is, downloads in progress included."""
        return job.progress(self._coming())

    async def aclose(self) -> None:
        """End all jobs."""
        await self._owner.aclose()

    @property
    def _fills(self) -> Fills:
        return self.means.blobs.fills

    def _coming(self) -> Iterator[tuple[Digest, int]]:
        for digest, amounts in self._fills.room.accounts.flights.items():
            yield digest, amounts()[1]

    def _ended(self, job: Job) -> None:
        del self._tasks[job.number]
        job.ended = True
        job.tell()

    # -- the work ------------------------------------------------------------------------------

    async def _run(self, job: Job) -> None:
        """Look at all images, then fetch them; then again those that could not be had."""
        log.info("prefetch.began", job=job.number, images=len(job.items), origin=job.order.origin)
        with ExitStack() as held:
            for rest_s in (*self.rests_s, None):
                reach = Reach(self._is_left_out)
                left = [item for item in job.items if not item.ended]
                for item in left:
                    await self._tried(job, item, self._look(job, item, held, reach), rest_s, reach)
                for item in [each for each in left if each.state is State.FETCHING]:
                    await self._tried(job, item, self._bring(job, item, held), rest_s, reach)
                again = [item for item in left if not item.ended]
                needed = [item for item in again if not item.extra]
                if not job.order.patient:
                    needed = [each for each in needed if not _is_hopeless(each, reach)]
                if not needed:
                    _give_up(job, again)
                    break
                if rest_s is not None:
                    await self.sleep(rest_s)
        done = sum(item.state is State.DONE for item in job.items)
        log.info("prefetch.done", job=job.number, done=done, failed=len(job.items) - done)

    async def _tried(
        self, job: Job, item: Item, work: Awaitable[None], rest_s: float | None, reach: Reach
    ) -> None:
        """Do something for one image; what goes wrong is its own, and may be better later."""
        try:
            await work
        except EntrepotError as error:
            reach.note(registry_of(item), error)
            again = rest_s is not None and isinstance(error, _PASSING)
            item.state = State.RETRYING if again else State.FAILED
            item.reason, item.rest_s = str(error), rest_s if again else None
            log.warning("prefetch.failed", image=item.name or item.told, reason=str(error))
        job.tell()

    async def _look(self, job: Job, item: Item, held: ExitStack, reach: Reach) -> None:
        """Get the manifests of an image: they tell which blobs are needed, and how much that is."""
        item.tries += 1
        means = self.means
        with means.use:
            named = NamedImage.read(item.told, means.names)
            item.name = str(named)
            if named.registry not in means.manifests.registries:
                served = means.names.served
                raise NameUnknown(f"{named.registry} is not served here. Served: {served}")
            root = await self._reached(means, named, reach)
            item.digest = root.digest
            for manifest in await _manifests_of(means, named, root, job.order.platforms):
                item.parts.update((child.digest, child.size) for child in blobs_of(manifest))
            sizes = await means.blobs.store.sizes(item.parts)
        for digest, size in sizes.items():
            item.parts[digest] = size
            self._hold(digest, held)
        item.here = set(sizes)
        if item.tries == 1:
            item.before = set(sizes)
        self._check_room(job)
        item.state = State.FETCHING

    async def _reached(self, means: Means, named: NamedImage, reach: Reach) -> Manifest:
        """Get what the name means, unless the registry is known to be out of reach by now."""
        if (known := reach.why_not(named.registry)) is not None:
            raise known
        return await _root(means, named)

    def _is_left_out(self, registry: str) -> bool:
        now = asyncio.get_running_loop().time()
        known = self.means.manifests.registries.get(registry)  # a reload may have taken it out
        return known is None or all(one.health.state(now) != "closed" for one in known.mirrors)

    async def _bring(self, job: Job, item: Item, held: ExitStack) -> None:
        """Fetch what is missing of an image, some blobs at a time; then see that all is there."""
        named = NamedImage.read(item.told, self.means.names)
        missing = iter([digest for digest in item.parts if digest not in item.here])

        async def some() -> None:
            for digest in missing:
                await self._bring_blob(job, item, named, digest, held)

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(AT_A_TIME):
                    group.create_task(some())
        except ExceptionGroup as errors:  # the others were stopped for the sake of the first
            raise errors.exceptions[0] from None
        await self._check_whole(job, named)
        item.state = State.DONE
        item.reason = ""

    async def _bring_blob(
        self, job: Job, item: Item, named: NamedImage, digest: Digest, held: ExitStack
    ) -> None:
        while True:
            job.standing_back = self.courtesy.standing_back
            await self.courtesy.turn()
            job.standing_back = False
            means = self.means
            with means.use:
                fill = await means.blobs.fetch(named.image, digest, means.deadline())
            if fill is None:
                break
            if not await self.courtesy.watch(fill):
                continue
            if fill.error is not None:
                raise fill.error
            if await self._fills.store.size(digest) is None:
                raise NoRoom(f"{digest} was fetched but not kept: no room on the disk for it")
            item.fetched_bytes += max((fill.size or 0) - fill.found_bytes, 0)
        item.here.add(digest)
        item.parts[digest] = await self._fills.store.size(digest) or 0
        self._hold(digest, held)
        job.tell()

    async def _check_whole(self, job: Job, named: NamedImage) -> None:
        """What was just fetched may be gone again, or be for another platform than was wanted."""
        means = self.means
        with means.use:
            root = await _root(means, named)
        closure = Closure(means.manifests.catalog, means.blobs.store)
        [found] = await closure.survey([Child(root.digest, root.media_type, root.size)])
        whole = [state for state in found.platforms if state.complete]
        told = ", ".join(sorted(state.platform for state in whole)) or "nothing"
        for platform in job.order.platforms:
            if not any(not s.platform or _matches(platform, s.platform) for s in whole):
                raise ManifestUnknown(f"{named} is not for {platform}: {told} is here")
        if not job.order.platforms and not found.complete:
            raise TransferBroken(f"{named} is not all here: {_lost(found)}")

    def _check_room(self, job: Job) -> None:
        limit = self._fills.room.limits.max_size
        sizes = {digest: size for item in job.items for digest, size in item.parts.items()}
        wanted = sum(max(size, 0) for size in sizes.values())
        if limit is not None and wanted > limit:
            raise NoRoom(f"all of it has {wanted} bytes, and the cache may have {limit}")

    def _hold(self, digest: Digest, held: ExitStack) -> None:
        """Keep it from being evicted for what comes later in the same job."""
        held.callback(self._fills.room.leases.take(digest).release)


async def _root(means: Means, named: NamedImage) -> Manifest:
    if isinstance(named.reference, Digest):
        served = await means.manifests.get(named.image, named.reference, means.deadline())
    else:
        served = await means.tags.get(named.image, named.reference, means.deadline())
    return served.manifest


async def _manifests_of(
    means: Means,
    named: NamedImage,
    manifest: Manifest,
    platforms: Sequence[str],
    depth: int = _DEPTH,
) -> list[Manifest]:
    if not is_index(manifest.media_type):
        return [manifest]
    listed = [child for child in children_of(manifest) if child.platform != NO_PLATFORM]
    chosen = [child for child in listed if not child.platform or _wants(platforms, child)]
    for platform in platforms:
        if not any(not child.platform or _wants([platform], child) for child in chosen):
            has = ", ".join(sorted({child.platform for child in listed})) or "nothing"
            raise ManifestUnknown(f"{named} has no {platform}: it has {has}")
    found: list[Manifest] = []
    for child in chosen if depth else ():
        served = await means.manifests.get(named.image, child.digest, means.deadline())
        found += await _manifests_of(means, named, served.manifest, platforms, depth - 1)
    return found


def registry_of(item: Item) -> str:
    """Name its registry; "" while nobody has read its name."""
    return item.name.partition("/")[0]


def _is_hopeless(item: Item, reach: Reach) -> bool:
    """Whether no mirror could be reached for it, not the second time either."""
    return item.tries > 1 and reach.is_lost(registry_of(item))


def _give_up(job: Job, items: Iterable[Item]) -> None:
    for item in items:
        item.state, item.rest_s = State.FAILED, None
    job.tell()


def blobs_of(manifest: Manifest) -> Iterable[Child]:
    """What a node fetches for a manifest: its config and layers, where they are not in itself."""
    for child in children_of(manifest):
        if not (child.inline or is_foreign(child.media_type)):
            yield child


def _wants(platforms: Sequence[str], child: Child) -> bool:
    return not platforms or any(_matches(each, child.platform) for each in platforms)


def _matches(wanted: str, platform: str) -> bool:
    return platform == wanted or platform.startswith(f"{wanted}/")


def _lost(found: Completeness) -> str:
    lost = [str(one.digest) for state in found.platforms for one in state.missing]
    return ", ".join(lost[:3])
