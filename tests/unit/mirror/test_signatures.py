"""Who is let through: signed images and what belongs to them, nobody else; looked at once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from entrepot.errors import AllFailed, AllThrottled, Offline, SignatureRefused
from entrepot.mirror.evidence import Evidence
from entrepot.mirror.flights import Flights
from entrepot.mirror.signatures import Signatures
from entrepot.oci.digest import Digest
from entrepot.oci.reference import RepositoryName, Tag
from entrepot.tasks import TaskOwner
from entrepot.trust.cosign import SignatureRule, SignatureTable
from entrepot.trust.cosignkey import CosignKey
from fakes.cosign import (
    PROVENANCE,
    Signer,
    bundle,
    bundle_referrer,
    bundled,
    payload,
    sig_tag,
    signature,
    signed,
    statement,
)
from fakes.images import Image, Index, image, index
from fakes.registry import FakeRegistry, Fault
from mirroring import PAUSE, REGISTRY, Mirroring, mirroring

OWNER, STRANGER = Signer.make("ed25519"), Signer.make("ed25519")
RULE = SignatureRule((CosignKey.parse(OWNER.pem, "cosign.pub"),))
NAME = f"{REGISTRY}/pause"
APP = image("app", flavour="oci")
OTHER = image("other", flavour="oci")
ARM = image("app", platform="linux/arm64", flavour="oci")
BOTH = index([APP, ARM], flavour="oci")


@dataclass(slots=True)
class Checking:
    """A check over a mirror layer, over a fake registry."""

    layer: Mirroring
    check: Signatures

    @property
    def evidence(self) -> Evidence:
        layer = self.layer
        return Evidence(layer.tags, layer.blobs, layer.listings, PAUSE, layer.deadline())

    async def __call__(
        self, digest: Digest, repository: str = "pause", *, attached: bool = True
    ) -> None:
        fetch = replace(self.evidence, image=replace(PAUSE, repository=RepositoryName(repository)))
        await self.check(REGISTRY, repository, digest, fetch, attached=attached)

    def forget(self) -> None:
        """As after a restart."""
        self.check = replace_memory(self.check)

    def settled(self, digest: Digest, *, attached: bool = True) -> bool:
        return self.check.is_settled(REGISTRY, "pause", digest, attached=attached)

    def verdicts(self, verdict: str) -> float:
        labels = {"registry": REGISTRY, "verdict": verdict}
        name = "entrepot_signature_verdicts_total"
        return self.layer.metrics.registry.get_sample_value(name, labels) or 0.0


def replace_memory(check: Signatures) -> Signatures:
    return Signatures(check.table, check.flights, check.metrics, check.clock, check.negative_ttl_s)


@asynccontextmanager
async def checking(
    path: Path, registry: FakeRegistry, rule: SignatureRule = RULE
) -> AsyncIterator[Checking]:
    owner = TaskOwner("test checks")
    async with mirroring(path, registry.url, overtake_s=0.3, stall_s=0.3) as layer:
        table = SignatureTable({REGISTRY: (("free/*", SignatureRule()), ("*", rule))})
        check = Signatures(table, Flights(owner, "check"), layer.metrics, layer.clock, 30.0)
        try:
            yield Checking(layer, check)
        finally:
            await owner.aclose()


def push(registry: FakeRegistry, pushed: Image | Index, *attached: Image, tag: str = "3.1") -> None:
    """An image, and with it a `.sig` manifest or referrers."""
    registry.put_image("pause", tag, pushed)
    for one in attached:
        is_referrer = b'"subject"' in one.manifest
        registry.put_image("pause", None if is_referrer else sig_tag(pushed.digest), one)


@pytest.mark.parametrize(
    "attached",
    [
        (signed(OWNER, APP.digest, NAME),),
        (bundled(OWNER, APP),),
        (signed(STRANGER, APP.digest, NAME), bundled(OWNER, APP)),
        (bundled(STRANGER, APP), bundled(OWNER, APP)),
    ],
    ids=["tag", "bundle", "bundle beside a stranger's tag", "second bundle"],
)
async def test_signed_images_pass_and_are_remembered(
    tmp_path: Path, attached: tuple[Image, ...]
) -> None:
    async with FakeRegistry() as registry, checking(tmp_path, registry) as check:
        push(registry, APP, *attached)
        assert not check.settled(APP.digest)
        await check(APP.digest)
        assert check.settled(APP.digest)
        assert check.verdicts("proved") == 1
        registry.clear()
        await check(APP.digest)
        assert registry.requests == []


def tampered(image_digest: Digest) -> Image:
    body = payload(image_digest, NAME)
    return signature([(body, OWNER.sign(body.replace(b"null", b"{}")))])


@pytest.mark.parametrize(
    ("attached", "reason"),
    [
        ((), "tag sha256-"),
        ((), "not there"),
        ((), "no signature among them"),
        ((signed(STRANGER, APP.digest, NAME),), "signed by somebody else than cosign.pub"),
        ((signed(OWNER, OTHER.digest, NAME),), f"a signature of another image, {OTHER.digest}"),
        ((tampered(APP.digest),), "changed since"),
        ((signed(OWNER, APP.digest, "quay.io/x"),), "signed as quay.io/x"),
        ((APP,), "holds no signature"),
        ((bundled(STRANGER, APP),), "signed by somebody else than cosign.pub"),
        (
            (bundle_referrer(APP, bundle(OWNER, statement(OTHER.digest))),),
            f"a signature of another image, {OTHER.digest}",
        ),
        ((bundle_referrer(APP, bundle(OWNER, statement(APP.digest, PROVENANCE))),), "attestation"),
        (
            (bundle_referrer(APP, bundle(OWNER, statement(APP.digest, PROVENANCE)), PROVENANCE),),
            "no signature among them",
        ),
    ],
)
async def test_others_are_refused_and_told_why(
    tmp_path: Path, attached: tuple[Image, ...], reason: str
) -> None:
    async with FakeRegistry() as registry, checking(tmp_path, registry) as check:
        push(registry, APP, *attached)
        with pytest.raises(SignatureRefused) as caught:
            await check(APP.digest)
        told = str(caught.value)
        assert reason in told
        assert any(reason in one for one in caught.value.found)
        for part in (f"{NAME}@{APP.digest}", "the key cosign.pub", "cosign sign", "`verify`"):
            assert part in told
        assert not check.settled(APP.digest)
        assert check.verdicts("refused") == 1


async def test_a_signature_that_comes_later_is_found(tmp_path: Path) -> None:
    async with FakeRegistry() as registry, checking(tmp_path, registry) as check:
        push(registry, APP)
        with pytest.raises(SignatureRefused):
            await check(APP.digest)
        registry.clear()
        push(registry, APP, signed(OWNER, APP.digest, NAME))
        with pytest.raises(SignatureRefused, match="is not signed"):
            await check(APP.digest)
        assert registry.requests == []
        check.layer.clock.now += 31
        await check(APP.digest)


async def test_what_a_signed_index_names_is_signed_with_it(tmp_path: Path) -> None:
    async with FakeRegistry() as registry, checking(tmp_path, registry) as check:
        push(registry, BOTH, signed(OWNER, BOTH.digest, NAME))
        await check(BOTH.digest)
        assert check.settled(ARM.digest)
        registry.clear()
        await check(APP.digest)
        assert registry.requests == []


@pytest.mark.parametrize("first", ["index", "child"])
async def test_a_child_is_known_by_its_index_also_after_a_restart(
    tmp_path: Path, first: str
) -> None:
    async with FakeRegistry() as registry, checking(tmp_path, registry) as check:
        push(registry, BOTH, bundled(OWNER, BOTH))
        await check(BOTH.digest)
        check.forget()
        if first == "index":
            await check(BOTH.digest)
        await check(ARM.digest)
        assert check.settled(APP.digest)
        assert check.settled(BOTH.digest)


async def test_the_child_of_an_index_that_is_not_signed_is_refused(tmp_path: Path) -> None:
    async with FakeRegistry() as registry, checking(tmp_path, registry) as check:
        push(registry, BOTH, signed(STRANGER, BOTH.digest, NAME))
        await check.evidence.manifest(Tag("3.1"))
        with pytest.raises(SignatureRefused, match="somebody else"):
            await check(APP.digest)


async def test_an_index_from_elsewhere_does_not_name_a_child_here(tmp_path: Path) -> None:
    """A proof belongs to a repository: its rule may know other keys."""
    async with FakeRegistry() as registry, checking(tmp_path, registry) as check:
        push(registry, BOTH, signed(OWNER, BOTH.digest, NAME))
        registry.put_image("app", None, APP)
        await check(BOTH.digest)
        with pytest.raises(SignatureRefused):
            await check(APP.digest, "app")


async def test_a_child_may_be_signed_by_itself(tmp_path: Path) -> None:
    async with FakeRegistry() as registry, checking(tmp_path, registry) as check:
        push(registry, BOTH)
        push(registry, APP, signed(OWNER, APP.digest, NAME))
        await check(APP.digest)
        with pytest.raises(SignatureRefused):
            await check(BOTH.digest)


async def test_signatures_themselves_need_none(tmp_path: Path) -> None:
    attached = signed(STRANGER, APP.digest)
    async with FakeRegistry() as registry, checking(tmp_path, registry) as check:
        push(registry, APP, attached, bundled(STRANGER, APP))
        await check(attached.digest)
        await check(bundled(STRANGER, APP).digest)


async def test_where_nothing_is_asked_nothing_is_looked_for(tmp_path: Path) -> None:
    async with FakeRegistry() as registry, checking(tmp_path, registry) as check:
        await check(APP.digest, "free/app")
        assert check.check.is_settled(REGISTRY, "free/app", APP.digest, attached=False)
        assert check.check.is_settled("quay.io", "app", APP.digest, attached=False)
        assert registry.requests == []


async def test_a_warning_lets_it_pass(tmp_path: Path) -> None:
    warning = replace(RULE, warn=True)
    async with FakeRegistry() as registry, checking(tmp_path, registry, warning) as check:
        push(registry, APP)
        await check(APP.digest)
        assert check.verdicts("refused") == 1
        assert not check.settled(APP.digest)
        await check(APP.digest)
        registry.fault(Fault("status", status=500, times=None))
        check.layer.clock.now += 31
        await check(APP.digest)
        assert check.verdicts("unheard") == 1


@pytest.mark.parametrize(
    ("status", "kind"), [(500, AllFailed), (403, AllFailed), (429, AllThrottled)]
)
async def test_who_cannot_be_asked_has_not_said_that_it_is_unsigned(
    tmp_path: Path, status: int, kind: type[Exception]
) -> None:
    async with FakeRegistry() as registry, checking(tmp_path, registry) as check:
        push(registry, APP, signed(OWNER, APP.digest, NAME))
        await check.evidence.manifest(APP.digest)
        registry.fault(Fault("status", status=status, path="sha256-", times=None))
        with pytest.raises(kind, match="signature could not be looked at"):
            await check(APP.digest)
        assert check.verdicts("unheard") == 1


async def test_offline_what_was_proved_is_proved_again_from_the_cache(tmp_path: Path) -> None:
    async with FakeRegistry() as registry, checking(tmp_path, registry) as check:
        push(registry, APP, signed(OWNER, APP.digest, NAME))
        push(registry, OTHER, tag="other")
        await check(APP.digest)
        await check.evidence.manifest(OTHER.digest)
        await check.layer.fills.settled()
        check.forget()
        await check.layer.outbound.set_offline(True)
        await check(APP.digest)
        with pytest.raises(Offline, match="signature could not be looked at"):
            await check(OTHER.digest)


async def test_many_at_once_ask_once(tmp_path: Path) -> None:
    async with FakeRegistry() as registry, checking(tmp_path, registry) as check:
        push(registry, APP, signed(OWNER, APP.digest, NAME))
        async with asyncio.TaskGroup() as group:
            for _ in range(20):
                group.create_task(check(APP.digest))
        assert len(registry.asked("/manifests/sha256-")) == 1


def called(one: Image, kind: str) -> Image:
    """The same image with layers that it calls something else: podman runs it all the same."""
    written = json.loads(one.manifest)
    for layer in written["layers"]:
        layer["mediaType"] = kind
    return replace(one, manifest=json.dumps(written).encode())


async def test_what_is_asked_for_as_an_image_has_to_be_signed(tmp_path: Path) -> None:
    disguised = called(APP, "application/vnd.in-toto+json")
    async with FakeRegistry() as registry, checking(tmp_path, registry) as check:
        push(registry, disguised)
        await check(disguised.digest, attached=True)
        assert check.settled(disguised.digest, attached=True)
        assert not check.settled(disguised.digest, attached=False)
        with pytest.raises(SignatureRefused):
            await check(disguised.digest, attached=False)
        await check(disguised.digest, attached=True)


async def test_a_list_of_artifacts_proves_nothing_that_it_names(tmp_path: Path) -> None:
    """containerd takes the image for its platform out of an index, whatever it is called there."""
    written = json.loads(BOTH.manifest)
    for entry in written["manifests"]:
        entry["artifactType"] = "text/spdx+json"
    listing = replace(BOTH, manifest=json.dumps(written).encode())
    async with FakeRegistry() as registry, checking(tmp_path, registry) as check:
        push(registry, listing)
        with pytest.raises(SignatureRefused):
            await check(listing.digest, attached=False)
        await check(listing.digest, attached=True)
        with pytest.raises(SignatureRefused):
            await check(APP.digest)
